"""What two runs may have otherwise without being different: ids, ports, places, times. Pure."""

import re

PATTERNS = (
    (r"container_(?:e\d+_)?\d{13}_\d+_\d+_\d+", "<container>"),
    (r"appattempt_\d{13}_\d+_\d+", "<attempt>"),
    (r"application_\d{13}_\d+", "<application>"),
    (r"job_\d{13}_\d+", "<application>"),
    (r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", "<uuid>"),
    (r"\b[0-9a-f]{32}\b", "<id>"),
    (r"\b[0-9a-f]{64}\b", "<hash>"),
    # Where the NodeManager keeps what it has localized: a number for each file.
    (r"<local>/(?:usercache/[^/:]+/)?(?:appcache/<application>/)?filecache/\d+", "<filecache>"),
    (r"heddle/node-jars-[0-9a-f]+/\d+/", "<hadoop>/"),
    (r"(?<=://)[^/:@\s]+:\d+", "<address>"),
    (r"\b(?:localhost|127\.0\.0\.1|<host>):\d{4,5}\b", "<address>"),
    (r"\b1[789]\d{11}\b", "<time>"),
    (r"@[0-9a-f]{5,8}\b", "@<object>"),
)


class Normal:
    """Replaces what is one deployment's own. `places` maps literal text to what stands for it; `kept` is what
    the case itself says."""

    def __init__(self, places, hosts=(), kept=""):
        # The longest first: one place may be within another.
        self.places = dict(sorted(((text, name) for text, name in places.items() if text), key=lambda pair: -len(pair[0])))
        self.names = list(hosts)
        self.hosts = re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, hosts)) or '(?!)'})(?![\w.-])")
        self.kept = kept

    def __call__(self, value, key=""):
        if isinstance(value, str):
            return self.text(value, key)
        if isinstance(value, list):
            return [self(entry) for entry in value]
        if isinstance(value, dict):
            return {self.text(name): self(entry, name) for name, entry in value.items()}
        return value

    def text(self, text, key=""):
        # Ports are by chance, but for those that the case names.
        if key.endswith("port") and re.fullmatch(r"\d{4,5}", text) and text not in self.kept:
            return "<port>"
        for literal, name in self.places.items():
            text = text.replace(literal, name)
        text = self.hosts.sub("<host>", text)
        for pattern, name in PATTERNS:
            text = re.sub(pattern, name, text)
        return text


def flatten(seen, prefix=""):
    """Nested dictionaries as path -> value; lists stay."""
    found = {}
    for key, value in seen.items():
        path = f"{prefix}/{key}" if prefix else str(key)
        if isinstance(value, dict) and value:
            found |= flatten(value, path)
        else:
            found[path] = value
    return found
