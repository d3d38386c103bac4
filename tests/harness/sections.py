"""The sections of a page of the manual that a script writes: what is between two marks."""


def replace(page, section, script, command, lines):
    """Puts the command that was typed and the lines between the section's marks in the page."""
    begin, end = f"<!-- {section}: written by {script} -->", f"<!-- end of {section} -->"
    before, found, rest = page.read_text().partition(begin)
    _, ended, after = rest.partition(end)
    assert found and ended, f"{page} has no lines `{begin}` and `{end}`"
    page.write_text("\n".join([f"{before}{begin}", f"`{command}`", "", *lines, f"{end}{after}"]))
