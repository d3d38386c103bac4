"""A terminal's lines as SVG. What is drawn is what a wide terminal would show at the end; lines that are too
long are cut."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from xml.sax.saxutils import escape

import pyte

# Of the terminal, and of the picture.
COLUMNS, ROWS, SHOWN = 240, 400, 113
LETTER, LINE, MARGIN, HEAD = 7.83, 18, 16, 34
BACKGROUND, TEXT, DIM, PROMPT = "#1e2326", "#d3d7cf", "#8a9199", "#4db6ac"
COLOURS = {"red": "#ef6b73", "green": "#8ac46c", "brown": "#e5c07b", "yellow": "#e5c07b", "blue": "#61afef", "magenta": "#c678dd", "cyan": "#56b6c2"}


class Command:
    """A command that has been run: its words as they are typed, what the terminal showed, how long it
    took."""

    def __init__(self, words, lines, seconds, code):
        self.words, self.lines, self.seconds, self.code = words, lines, seconds, code


def run(shell, env, cwd, shown=None, seconds=180):
    """Runs a line of a shell in a terminal, and gives a `Command` with its lines, each a list of (text,
    colour, bold)."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    began = time.monotonic()
    env = env | {"TERM": "xterm-256color"}
    process = subprocess.Popen(["bash", "-c", shell], env=env, cwd=cwd, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    while True:
        ready, _, _ = select.select([master], [], [], 0.2)
        if ready:
            try:
                data = os.read(master, 65536)
            except OSError:
                break
            if not data:
                break
            stream.feed(data)
        if time.monotonic() - began > seconds:
            process.kill()
            raise AssertionError(f"still running after {seconds} s: {shell}")
    code = process.wait()
    took = time.monotonic() - began
    os.close(master)
    return Command(shown or shell, spans(screen), took, code)


def spans(screen):
    """The lines of a screen down to the last that is not empty."""
    lines = []
    for row in range(ROWS):
        cells = [screen.buffer[row][column] for column in range(COLUMNS)]
        line = []
        for cell in cells:
            colour = COLOURS.get(cell.fg, TEXT)
            if line and line[-1][1:] == [colour, cell.bold]:
                line[-1][0] += cell.data
            else:
                line.append([cell.data, colour, cell.bold])
        line[-1][0] = line[-1][0].rstrip()
        lines.append([tuple(span) for span in line if span[0]])
    while lines and not lines[-1]:
        lines.pop()
    return lines


def plain(line):
    return "".join(text for text, _, _ in line)


def chosen(lines, wanted):
    """The lines that match; where others are left out there is a `…`."""
    kept, left = [], False
    for line in [*lines, None]:
        good = line is not None and re.search(wanted, plain(line))
        if (good or line is None) and left:
            kept.append([("…", DIM, False)])
        if good:
            kept.append(line)
        left = not good
    return kept


def cut(line):
    """Not beyond the picture's edge."""
    kept, room = [], SHOWN
    for text, colour, bold in line:
        if len(text) > room:
            text = text[: room - 1] + "…"
        kept.append((text, colour, bold))
        room -= len(text)
        if room <= 0 or text.endswith("…"):
            break
    return kept


def hidden(lines, rules):
    """Lines with words of this machine and day replaced by others of the same kind. `rules` are (pattern,
    text)."""
    return [[(replaced(text, rules), colour, bold) for text, colour, bold in line] for line in lines]


def replaced(text, rules):
    for pattern, other in rules:
        text = re.sub(pattern, other, text)
    return text


def told(seconds):
    """Nothing where the time is none that says anything."""
    if seconds is None:
        return ""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds:.2f} s"


def draw(commands, title):
    """The document."""
    rows = []
    for command in commands:
        prompt = [("$ ", PROMPT, True), (command.words, "#ffffff", True)]
        rows.append((prompt, told(command.seconds)))
        rows += [(cut(line), "") for line in command.lines]
        rows.append(([], ""))
    rows.pop()
    width, height = SHOWN * LETTER + 2 * MARGIN, len(rows) * LINE + HEAD + 1.5 * MARGIN
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width:.0f}" height="{height:.0f}" rx="8" fill="{BACKGROUND}"/>',
        *(f'<circle cx="{MARGIN + 6 + 20 * n}" cy="17" r="6" fill="{c}"/>' for n, c in enumerate(("#ef6b73", "#e5c07b", "#8ac46c"))),
        f'<text x="{width / 2:.0f}" y="22" text-anchor="middle" font-family="sans-serif" font-size="13" fill="{DIM}">{escape(title)}</text>',
        '<g font-family="ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace" font-size="13">',
    ]
    y = HEAD + MARGIN
    for line, aside in rows:
        # Each run of letters has its place and its length, so that no font moves one into another.
        column = 0
        for text, colour, bold in line:
            if words := text.rstrip():
                indent = len(words) - len(words.lstrip())
                x = MARGIN + (column + indent) * LETTER
                words = words.lstrip()
                weight = ' font-weight="bold"' if bold else ""
                out.append(
                    f'<text x="{x:.1f}" y="{y}" textLength="{len(words) * LETTER:.1f}" lengthAdjust="spacingAndGlyphs" '
                    f'xml:space="preserve" fill="{colour}"{weight}>{escape(words)}</text>'
                )
            column += len(text)
        if aside:
            out.append(f'<text x="{width - MARGIN:.1f}" y="{y}" text-anchor="end" fill="{DIM}">{aside}</text>')
        y += LINE
    return "\n".join([*out, "</g>", "</svg>\n"])
