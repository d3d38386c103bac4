"""Whether the classes of a jar fit those that they will meet: every class, field and method that they name is
looked up, and every abstract method that they owe. A subset of what the JVM does when it links, for all
classes at once and without running any."""

import re
import struct
import zipfile
from functools import cached_property

ABSTRACT, FINAL, PRIVATE, STATIC = 0x0400, 0x0010, 0x0002, 0x0008
# Of the JDK, which is taken to be complete.
JDK = re.compile(r"(java|javax|jdk|sun|com/sun)/")


class ClassFile:
    """The parts of a class file that others can refer to, and what it refers to itself."""

    def __init__(self, data):
        self.data, self.at = data, 8
        self.pool = self._pool()
        self.access, this, parent, count = self._take("HHHH")
        self.name, self.parent = self._class(this), self._class(parent)
        self.interfaces = [self._class(index) for index in self._take(f"{count}H")]
        self.fields, self.methods = self._members(), self._members()

    def _take(self, layout):
        values = struct.unpack_from(">" + layout, self.data, self.at)
        self.at += struct.calcsize(">" + layout)
        return values

    def _pool(self):
        (count,) = self._take("H")
        pool, index = {}, 1
        sizes = {3: "i", 4: "f", 5: "q", 6: "d", 7: "H", 8: "H", 9: "HH", 10: "HH", 11: "HH", 12: "HH", 15: "BH", 16: "H", 17: "HH", 18: "HH", 19: "H", 20: "H"}
        while index < count:
            (tag,) = self._take("B")
            if tag == 1:
                (length,) = self._take("H")
                pool[index] = (tag, self.data[self.at : self.at + length].decode("utf-8", "surrogatepass"))
                self.at += length
            else:
                pool[index] = (tag, self._take(sizes[tag]))
            index += 2 if tag in (5, 6) else 1
        return pool

    def _class(self, index):
        return self.pool[self.pool[index][1][0]][1] if index else None

    def _members(self):
        (count,) = self._take("H")
        found = {}
        for _ in range(count):
            access, name, descriptor, attributes = self._take("HHHH")
            for _ in range(attributes):
                _, length = self._take("HI")
                self.at += length
            found[self.pool[name][1], self.pool[descriptor][1]] = access
        return found

    @cached_property
    def references(self):
        """(kind, class, name, descriptor); name and descriptor are none for a class."""
        found = set()
        for tag, value in self.pool.values():
            if tag == 7:
                found.add(("class", self.pool[value[0]][1], None, None))
            elif tag in (9, 10, 11):
                name, descriptor = (self.pool[index][1] for index in self.pool[value[1]][1])
                found.add(("field" if tag == 9 else "method", self._class(value[0]), name, descriptor))
        return found


class ClassPath:
    """Classes of several jars; the first one that has a class counts."""

    def __init__(self, jars):
        self.entries, self.parsed = {}, {}
        for jar in jars:
            archive = zipfile.ZipFile(jar)
            for name in archive.namelist():
                if name.endswith(".class") and not name.startswith("META-INF/"):
                    self.entries.setdefault(name[: -len(".class")], archive)

    def get(self, name):
        if name not in self.parsed:
            archive = self.entries.get(name)
            self.parsed[name] = ClassFile(archive.read(f"{name}.class")) if archive else None
        return self.parsed[name]

    def lineage(self, name):
        """The class and all above it: classes from the bottom up, then interfaces. None stands for one that
        is not here."""
        pending, interfaces, seen = [name], [], set()
        while pending or interfaces:
            current = pending.pop(0) if pending else interfaces.pop(0)
            if current is None or current in seen:
                continue
            seen.add(current)
            known = self.get(current)
            yield current, known
            if known:
                pending.append(known.parent)
                interfaces += known.interfaces

    def missing(self, reference):
        kind, owner, name, descriptor = reference
        if owner.startswith("["):
            owner = owner.lstrip("[")
            if not owner.startswith("L"):
                return None
            kind, owner = "class", owner[1:-1]
        if JDK.match(owner):
            return None
        if self.get(owner) is None:
            return f"no class {owner}"
        if kind == "class":
            return None
        for above, known in self.lineage(owner):
            if known is None:
                # What it inherits from the JDK is there; anything else that is not, is a finding of its own.
                if JDK.match(above) and above != "java/lang/Object":
                    return None
                continue
            if (name, descriptor) in (known.fields if kind == "field" else known.methods):
                return None
        if kind == "method" and of_object(name, descriptor):
            return None
        return f"no {kind} {owner}.{name}{descriptor}"

    def owed(self, name):
        """Abstract methods that a class inherits and does not have, and final ones that it overrides."""
        found = self.get(name)
        if found.access & ABSTRACT:
            return
        having, abstract = {}, []
        for above, known in self.lineage(name):
            for method, access in (known.methods if known else {}).items():
                if access & (STATIC | PRIVATE):
                    continue
                if access & ABSTRACT:
                    abstract.append((above, method))
                    continue
                if access & FINAL and method in having and method[0] != "<init>":
                    yield f"{having[method]} overrides the final {above}.{''.join(method)}"
                having.setdefault(method, above)
        for above, method in abstract:
            if method not in having and not of_object(*method):
                yield f"{name} lacks {above}.{''.join(method)}"


def of_object(name, descriptor):
    """Methods of java.lang.Object that anything may be asked for."""
    return (name, descriptor) in {
        ("<init>", "()V"), ("toString", "()Ljava/lang/String;"), ("hashCode", "()I"), ("equals", "(Ljava/lang/Object;)Z"),
        ("getClass", "()Ljava/lang/Class;"), ("clone", "()Ljava/lang/Object;"), ("wait", "()V"), ("notifyAll", "()V"), ("notify", "()V"),
    }  # fmt: skip


def unresolved(jar, roots, libraries, without=()):
    """What the classes of `jar` that `roots` lead to, but not those of `without`, miss among `libraries`, as
    sorted sentences; and how many classes these are."""
    own = ClassPath([jar])
    everything = ClassPath([jar, *libraries])
    pending, seen, wrong = [root.replace(".", "/") for root in roots], {name.replace(".", "/") for name in without}, set()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        for reference in everything.get(name).references:
            if reference[1] in own.entries:
                pending.append(reference[1])
            if why := everything.missing(reference):
                wrong.add(f"{name}: {why}")
        wrong.update(everything.owed(name))
    return sorted(wrong), len(seen) - len(without)
