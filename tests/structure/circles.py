"""Circles of modules: finds them within a crate and names each by its modules and one `use` for each arrow.

At each level of directories the modules beside each other are the nodes; a directory is one node for those
outside it. The directory's own file (`mod.rs`, `lib.rs`) is a node beside its children: what a child takes
from it counts when the file defines it, and what the file merely re-exports counts for the module that
defines it. A re-export is no use by itself, unless the file that re-exports a name also uses it.
"""

from collections import defaultdict, deque
from dataclasses import dataclass

from .sources import every


@dataclass(frozen=True)
class Arrow:
    """One module uses another: where, and in what words."""

    source: str
    target: str
    place: str

    def __str__(self):
        return f"{self.source} -> {self.target}: {self.place}"


class Crate:
    """Resolves paths of a crate to the modules that define what they name."""

    def __init__(self, root):
        self.root = root
        self.modules = {module.path: module for module in every(root)}

    def resolve(self, module, segments, seen=frozenset()):
        """The module that defines what a path names within `module`; None for other crates and for a bare
        module."""
        found = self.walk(module, list(segments), seen)
        return found[0] if found and found[1] else None

    def walk(self, module, segments, seen):
        """The module a path leads to, and whether it names an item of it rather than the module."""
        first, rest = segments[0], segments[1:]
        if first == "crate":
            return self.descend(self.root, rest, seen)
        if first == "self":
            return self.descend(module, rest, seen)
        if first == "super":
            parent = self.modules.get(module.path[:-1]) if module.path else None
            if parent is None:
                return None
            if rest and rest[0] == "super":
                return self.walk(parent, rest, seen)
            return self.descend(parent, rest, seen)
        if first in module.children:
            return self.descend(module, segments, seen)
        key = (module.path, first)
        if key in seen:
            return None
        for each in module.imports:
            if each.name == first and each.path != [first]:
                return self.walk(module, each.path + rest, seen | {key})
        return None

    def descend(self, module, segments, seen):
        for index, name in enumerate(segments):
            if name in module.children:
                module = module.children[name]
                continue
            return self.item(module, name, segments[index + 1 :], seen)
        return module, False

    def item(self, module, name, rest, seen):
        """Where `name` of `module` is defined: there, or where the module has it from."""
        key = (module.path, name)
        if name == "*" or name in module.defines or key in seen:
            return module, True
        seen = seen | {key}
        for each in module.imports:
            if each.name == name and (found := self.walk(module, each.path + rest, seen)):
                return found
        for each in module.imports:
            if each.path[-1] == "*" and (origin := self.walk(module, each.path[:-1], seen)):
                if name in origin[0].defines or name in origin[0].children:
                    return self.descend(origin[0], [name, *rest], seen)
        return module, True

    def uses(self):
        """Each use by one module of what another defines: (user, definer, line, text)."""
        for module in self.modules.values():
            for each in module.imports:
                if each.reexported and each.name not in module.words:
                    continue
                target = self.resolve(module, each.path)
                if target is not None and target is not module:
                    yield module, target, each.line, each.text
            for segments, line, text in module.paths:
                target = self.resolve(module, segments)
                if target is not None and target is not module:
                    yield module, target, line, text


def own_file(path):
    return "lib.rs" if not path else "mod.rs"


def levels(root):
    """For each directory of modules the arrows between the nodes in it."""
    found = defaultdict(dict)
    for source, target, line, text in Crate(root).uses():
        common = 0
        while source.path[common : common + 1] == target.path[common : common + 1] != ():
            common += 1
        directory = source.path[:common]
        names = [path[common] if len(path) > common else own_file(directory) for path in (source.path, target.path)]
        arrow = Arrow(*names, f"{source.file.name}:{line}: {text}")
        found[directory].setdefault(tuple(names), arrow)
    return found


def shortest_circle(arrows, start):
    """The arrows of a shortest way from a node back to itself, or None."""
    queue, reached = deque([start]), {}
    while queue:
        node = queue.popleft()
        for (source, target), arrow in arrows.items():
            if source != node:
                continue
            if target == start:
                way = [arrow]
                while node != start:
                    way.append(reached[node])
                    node = reached[node].source
                return way[::-1]
            if target not in reached:
                reached[target] = arrow
                queue.append(target)
    return None


def circles(root):
    """Shortest circles, until each module that is part of one has been named; each as text."""
    found = []
    for directory, arrows in sorted(levels(root).items()):
        named = set()
        for start in sorted({source for source, _ in arrows}):
            if start in named:
                continue
            if way := shortest_circle(arrows, start):
                named |= {arrow.source for arrow in way}
                place = "::".join(("crate", *directory))
                found.append("\n".join([f"circle of {len(way)} modules in {place}:", *(f"    {arrow}" for arrow in way)]))
    return found
