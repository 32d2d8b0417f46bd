#!/usr/bin/env python3
# Kept as it was when the corpus was recorded, so that both sides are compared by the same program.
# ruff: noqa
# mypy: ignore-errors
# fmt: off
"""Replay recorded Kubernetes API cases against a server and compare the answers.

usage: replay.py [--kubeconfig FILE] [--corpus DIR_OR_FILE]... [--only PATTERN] [--skip-tag TAG]...
                 [--image REF] [--jobs N] [--keep] [--list] [-v]

Standard library only (Python >= 3.11).  See README.md for the case format.
"""
import argparse, base64, collections, copy, fnmatch, hashlib, http.client, json, os, queue, random, re
import select, socket, ssl, struct, sys, tempfile, threading, time, traceback, urllib.parse

VAR = re.compile(r"\{\{([A-Za-z0-9_.:-]+)\}\}")


# ---------------------------------------------------------------- kubeconfig
def _scalar(s):
    s = s.strip()
    if s in ("", "~", "null"):
        return None
    if s[0] == '"':
        return json.loads(s)
    if s[0] == "'":
        return s[1:-1].replace("''", "'")
    if s in ("true", "false"):
        return s == "true"
    if s == "{}":
        return {}
    if s == "[]":
        return []
    return s


def mini_yaml(text):
    """Enough YAML for a kubeconfig: block maps and lists with scalar leaves."""
    lines = []
    for ln in text.splitlines():
        if not ln.strip() or ln.lstrip().startswith("#") or ln.strip() == "---":
            continue
        lines.append((len(ln) - len(ln.lstrip(" ")), ln.strip()))

    def block(i, ind):
        if lines[i][1].startswith("- ") or lines[i][1] == "-":
            out = []
            while i < len(lines) and lines[i][0] == ind and (lines[i][1].startswith("- ") or lines[i][1] == "-"):
                rest = lines[i][1][1:].strip()
                if not rest:
                    v, i = block(i + 1, lines[i + 1][0])
                elif re.match(r"^[\w.-]+:( |$)", rest):
                    sub = ind + (len(lines[i][1]) - len(lines[i][1][1:].lstrip()))
                    lines[i] = (sub, rest)
                    v, i = block(i, sub)
                else:
                    v, i = _scalar(rest), i + 1
                out.append(v)
            return out, i
        out = {}
        while i < len(lines) and lines[i][0] == ind and not lines[i][1].startswith("- "):
            k, _, rest = lines[i][1].partition(":")
            k = _scalar(k)
            if rest.strip():
                out[k] = _scalar(rest)
                i += 1
            elif i + 1 < len(lines) and (lines[i + 1][0] > ind or (lines[i + 1][0] == ind and lines[i + 1][1].startswith("- "))):
                out[k], i = block(i + 1, lines[i + 1][0])
            else:
                out[k] = None
                i += 1
        return out, i

    return block(0, lines[0][0])[0] if lines else {}


class Target:
    def __init__(self, path):
        text = open(path).read()
        try:
            cfg = json.loads(text)
        except ValueError:
            try:
                import yaml
                cfg = yaml.safe_load(text)
            except ImportError:
                cfg = mini_yaml(text)
        ctx = next(c["context"] for c in cfg["contexts"] if c["name"] == cfg["current-context"])
        cl = next(c["cluster"] for c in cfg["clusters"] if c["name"] == ctx["cluster"])
        us = next((u.get("user") or {} for u in cfg.get("users") or [] if u["name"] == ctx.get("user")), {})
        u = urllib.parse.urlsplit(cl["server"])
        self.tls = u.scheme == "https"
        self.host, self.port = u.hostname, u.port or (443 if self.tls else 80)
        self.prefix = u.path.rstrip("/")
        self.ctx = self.ctx_nocert = None
        base = os.path.dirname(os.path.abspath(path))
        if self.tls:
            def mk():
                if cl.get("insecure-skip-tls-verify"):
                    c = ssl.create_default_context()
                    c.check_hostname = False
                    c.verify_mode = ssl.CERT_NONE
                elif cl.get("certificate-authority-data"):
                    c = ssl.create_default_context(cadata=base64.b64decode(cl["certificate-authority-data"]).decode())
                elif cl.get("certificate-authority"):
                    c = ssl.create_default_context(cafile=os.path.join(base, cl["certificate-authority"]))
                else:
                    c = ssl.create_default_context()
                if hasattr(ssl, "VERIFY_X509_STRICT"):
                    c.verify_flags &= ~ssl.VERIFY_X509_STRICT
                return c
            self.ctx, self.ctx_nocert = mk(), mk()
            if us.get("client-certificate-data"):
                with tempfile.NamedTemporaryFile(delete=False) as f:
                    f.write(base64.b64decode(us["client-certificate-data"]) + b"\n" + base64.b64decode(us["client-key-data"]))
                self.ctx.load_cert_chain(f.name)
                os.unlink(f.name)
            elif us.get("client-certificate"):
                self.ctx.load_cert_chain(os.path.join(base, us["client-certificate"]), os.path.join(base, us["client-key"]))
        self.auth = {}
        tok = us.get("token")
        if not tok and us.get("tokenFile"):
            tok = open(os.path.join(base, us["tokenFile"])).read().strip()
        if tok:
            self.auth["Authorization"] = "Bearer " + tok
        elif us.get("username"):
            self.auth["Authorization"] = "Basic " + base64.b64encode(f"{us['username']}:{us.get('password', '')}".encode()).decode()

    def connect(self, creds=True, timeout=60):
        s = socket.create_connection((self.host, self.port), timeout=timeout)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls:
            s = (self.ctx if creds else self.ctx_nocert).wrap_socket(s, server_hostname=self.host)
        return s


class Conn(http.client.HTTPConnection):
    def __init__(self, target, creds, timeout):
        super().__init__(target.host, target.port, timeout=timeout)
        self._t, self._creds = target, creds

    def connect(self):
        self.sock = self._t.connect(self._creds, self.timeout)


def encode_query(q):
    if not q:
        return ""
    pairs = q.items() if isinstance(q, dict) else q
    return "?" + urllib.parse.urlencode([(k, v) for k, v in pairs])


class Client:
    def __init__(self, target):
        self.t, self.pool = target, {}

    def prepare(self, req):
        hdr = {k: v for k, v in (req.get("headers") or {}).items()}
        creds = req.get("credentials", "kubeconfig") == "kubeconfig"
        low = {k.lower() for k in hdr}
        if "accept" not in low:
            hdr["Accept"] = "application/json"
        if creds and "authorization" not in low:
            hdr.update(self.t.auth)
        body = None
        if "raw" in req:
            body = req["raw"].encode() if isinstance(req["raw"], str) else b"x" * req["raw"]["len"]
        elif req.get("body") is not None:
            body = json.dumps(req["body"]).encode()
        if body is not None and "content-type" not in low:
            hdr["Content-Type"] = "application/json"
        hdr = {k: v for k, v in hdr.items() if v is not None}
        return req.get("method", "GET"), self.t.prefix + req["path"] + encode_query(req.get("query")), hdr, body, creds

    def call(self, req, timeout=60):
        method, url, hdr, body, creds = self.prepare(req)
        for attempt in (0, 1):
            c = self.pool.get(creds)
            fresh = c is None
            if fresh:
                c = self.pool[creds] = Conn(self.t, creds, timeout)
            try:
                c.request(method, url, body, hdr)
                r = c.getresponse()
                data = r.read()
                if r.will_close:
                    c.close()
                    self.pool.pop(creds, None)
                return Resp(r.status, {k.lower(): v for k, v in r.getheaders()}, data)
            except (http.client.HTTPException, OSError):
                c.close()
                self.pool.pop(creds, None)
                if fresh or attempt:
                    raise
        raise RuntimeError("unreachable")

    def stream(self, req, timeout=120):
        method, url, hdr, body, creds = self.prepare(req)
        c = Conn(self.t, creds, timeout)
        c.request(method, url, body, hdr)
        return c, c.getresponse()


class Resp:
    def __init__(self, status, headers, data):
        self.status, self.headers, self.data = status, headers, data
        self.body = None
        ct = headers.get("content-type", "")
        if ("json" in ct and "stream=watch" not in ct) or data[:1] == b"{":
            try:
                self.body = json.loads(data)
            except ValueError:
                self.body = data.decode("utf-8", "replace")    # e.g. a watch stream
        else:
            self.body = data.decode("utf-8", "replace")


# ---------------------------------------------------------------- matching
class Vars(dict):
    pass


def subst(x, vs):
    """Replace {{name}} for known names; unknown ones stay."""
    if isinstance(x, str):
        return VAR.sub(lambda m: str(vs[m.group(1)]) if m.group(1) in vs else m.group(0), x)
    if isinstance(x, list):
        return [subst(i, vs) for i in x]
    if isinstance(x, dict):
        return {subst(k, vs): subst(v, vs) for k, v in x.items()}
    return x


TYPES = {"string": str, "object": dict, "array": list, "integer": int, "boolean": bool, "null": type(None)}
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
VOLATILE_META = {"managedFields", "uid", "resourceVersion", "creationTimestamp", "selfLink"}


def short(x, n=300):
    s = x if isinstance(x, str) else json.dumps(x, sort_keys=True)
    return s if len(s) <= n else s[:n] + f"…(+{len(s) - n})"


def only_absent(x):
    """{"$absent": true}, or an object made of nothing else"""
    return isinstance(x, dict) and bool(x) and (x.get("$absent") is True or all(only_absent(v) for v in x.values()))


def match(exp, act, vs, mode="subset", path="$"):
    """-> list of differences; captures unknown {{variables}} into vs."""
    if isinstance(exp, dict) and len(exp) == 1 and next(iter(exp)).startswith("$"):
        op, arg = next(iter(exp.items()))
        if op == "$any":
            return [] if act is not None else [f"{path}: expected a value, got null/absent"]
        if op == "$re":
            arg = subst(arg, {k: re.escape(str(v)) for k, v in vs.items()})
            ok = isinstance(act, str) and re.search(arg, act, re.S)
            return [] if ok else [f"{path}: expected match of /{arg}/, got {short(act)}"]
        if op == "$type":
            ok = isinstance(act, TYPES[arg]) and not (arg == "integer" and isinstance(act, bool))
            return [] if ok else [f"{path}: expected {arg}, got {short(act)}"]
        if op == "$time":
            return [] if isinstance(act, str) and TIME.match(act) else [f"{path}: expected RFC3339 time, got {short(act)}"]
        if op == "$len":
            n = len(act) if act is not None else 0
            return [] if n == arg else [f"{path}: expected length {arg}, got {n}"]
        if op == "$gte":
            return [] if isinstance(act, (int, float)) and act >= arg else [f"{path}: expected >= {arg}, got {short(act)}"]
        if op == "$sha256":
            h = hashlib.sha256(act.encode()).hexdigest() if isinstance(act, str) else None
            return [] if h == arg else [f"{path}: sha256 differs"]
        if op == "$oneOf":
            for a in arg:
                if not match(a, act, Vars(vs), mode, path):
                    return []
            return [f"{path}: expected one of {short(arg)}, got {short(act)}"]
        if op == "$contains":
            out = []
            for i, a in enumerate(arg):
                for b in act or []:
                    v2 = Vars(vs)
                    if not match(a, b, v2, mode, path):
                        vs.update(v2)
                        break
                else:
                    out.append(f"{path}: no element matching {short(a)} in {short(act)}")
            return out
        if op == "$excludes":
            return [f"{path}: unexpected element matching {short(a)}" for a in arg for b in (act or []) if not match(a, b, Vars(vs), mode, path)]
        if op == "$unordered":
            if not isinstance(act, list) or len(act) != len(arg):
                return [f"{path}: expected {len(arg)} elements in any order, got {short(act)}"]
            rest, out = list(act), []
            for a in arg:
                for b in rest:
                    v2 = Vars(vs)
                    if not match(a, b, v2, mode, path):
                        vs.update(v2)
                        rest.remove(b)
                        break
                else:
                    out.append(f"{path}: no element matching {short(a)} in {short(act)}")
            return out
        if op == "$exact":
            return match(arg, act, vs, "exact", path + "(exact)")
        if op == "$all":
            out = []
            for a in arg:
                out += match(a, act, vs, mode, path)
            return out
    if isinstance(exp, str):
        if not isinstance(act, str):
            return [f"{path}: expected {short(exp)}, got {short(act)}"]
        return match_str(exp, act, vs, path)
    if isinstance(exp, dict):
        if not isinstance(act, dict):
            return [f"{path}: expected object, got {short(act)}"]
        out = []
        for k, v in exp.items():
            k = subst(k, vs)
            if only_absent(v):
                if k in act and (v.get("$absent") or act[k] is not None):
                    if not v.get("$absent"):
                        out += match(v, act[k], vs, mode, f"{path}.{k}")
                        continue
                    out.append(f"{path}.{k}: expected absent, got {short(act[k])}")
            elif k not in act:
                out.append(f"{path}.{k}: missing (expected {short(v)})")
            else:
                out += match(v, act[k], vs, mode, f"{path}.{k}")
        if mode == "exact":
            known = {subst(k, vs) for k in exp}
            for k in act:
                if k not in known and not (path.endswith(".metadata") and k in VOLATILE_META):
                    out.append(f"{path}.{k}: unexpected {short(act[k])}")
        return out
    if isinstance(exp, list):
        if not isinstance(act, list):
            return [f"{path}: expected array, got {short(act)}"]
        out = []
        if len(exp) != len(act):
            out.append(f"{path}: expected {len(exp)} elements, got {len(act)}: {short(act)}")
        for i, (a, b) in enumerate(zip(exp, act)):
            out += match(a, b, vs, mode, f"{path}[{i}]")
        return out
    if type(exp) is not type(act) and not (isinstance(exp, (int, float)) and isinstance(act, (int, float)) and not isinstance(exp, bool) and not isinstance(act, bool)):
        return [f"{path}: expected {short(exp)}, got {short(act)}"]
    return [] if exp == act else [f"{path}: expected {short(exp)}, got {short(act)}"]


def match_str(exp, act, vs, path):
    if not VAR.search(exp):
        return [] if exp == act else [f"{path}: expected {short(exp)!r}, got {short(act)!r}"]
    pat, names, pos = "", [], 0
    for m in VAR.finditer(exp):
        pat += re.escape(exp[pos:m.start()])
        n = m.group(1)
        if n in vs:
            pat += re.escape(str(vs[n]))
        elif n in names:
            pat += f"(?P=g{names.index(n)})"
        else:
            pat += f"(?P<g{len(names)}>.+?)"
            names.append(n)
        pos = m.end()
    pat += re.escape(exp[pos:])
    m = re.fullmatch(pat, act, re.S)
    if not m:
        return [f"{path}: expected {short(subst(exp, vs))!r}, got {short(act)!r}"]
    for i, n in enumerate(names):
        vs[n] = m.group(f"g{i}")
    return []


def jsonpath(doc, expr):
    """Tiny JSONPath: a.b[0].c[*].d, a[?(@.type=="X")].b, ['key.with.dots'] -> list of values"""
    toks = re.findall(r"\[\?\(@\.([\w.]+)\s*==\s*\"([^\"]*)\"\)\]|\['([^']+)'\]|\[(\*|-?\d+)\]|([^.\[\]]+)", expr.lstrip("$").lstrip("."))
    cur = [doc]
    for fk, fv, q, idx, name in toks:
        nxt = []
        for c in cur:
            if fk:
                for e in c if isinstance(c, list) else []:
                    if fv in [str(v) for v in jsonpath(e, fk)]:
                        nxt.append(e)
            elif idx == "*":
                nxt += c if isinstance(c, list) else list(c.values()) if isinstance(c, dict) else []
            elif idx:
                i = int(idx)
                if isinstance(c, list) and -len(c) <= i < len(c):
                    nxt.append(c[i])
            else:
                k = q or name
                if isinstance(c, dict) and k in c:
                    nxt.append(c[k])
        cur = nxt
    return cur


def match_body(rule, exp, act, vs):
    if isinstance(rule, dict) and "jsonpath" in rule:
        out = []
        for chk in rule["jsonpath"]:
            got = jsonpath(act, chk["path"])
            if "[*]" in chk["path"] or "[?" in chk["path"]:
                val = got
            else:
                val = got[0] if got else None
                if not got and chk.get("equals") is not None and not (isinstance(chk["equals"], dict) and chk["equals"].get("$absent")):
                    out.append(f"{chk['path']}: nothing there (expected {short(chk['equals'])})")
                    continue
                if isinstance(chk["equals"], dict) and chk["equals"].get("$absent"):
                    if got:
                        out.append(f"{chk['path']}: expected absent, got {short(val)}")
                    continue
            out += match(chk["equals"], val, vs, "subset", chk["path"])
        return out
    return match(exp, act, vs, rule or "subset")


def match_response(exp, resp, vs):
    out = []
    if "status" in exp:
        s = exp["status"]
        if resp.status not in (s if isinstance(s, list) else [s]):
            out.append(f"status: expected {s}, got {resp.status}")
    for k, v in (exp.get("headers") or {}).items():
        if isinstance(v, dict) and v.get("$absent"):
            if k.lower() in resp.headers:
                out.append(f"header {k}: expected absent, got {resp.headers[k.lower()]!r}")
        elif k.lower() not in resp.headers:
            out.append(f"header {k}: missing (expected {short(v)})")
        else:
            out += match(v, resp.headers[k.lower()], vs, path=f"header {k}")
    if "body" in exp or isinstance(exp.get("match"), dict):
        out += match_body(exp.get("match", "subset"), exp.get("body"), resp.body, vs)
    if out and resp.status >= 400 and isinstance(resp.body, dict):
        out.append(f"(server said {resp.status}: {short(resp.body.get('message', resp.body))})")
    return out


def match_events(exp, events, vs):
    """exp: response object with 'events' and match exact|sequence|contains; never: patterns that must not occur"""
    want, mode, out = exp["events"], exp.get("match", "exact"), []
    if mode == "exact":
        if len(want) != len(events):
            out.append(f"events: expected {len(want)}, got {len(events)}: {[e.get('type') for e in events]}")
        for i, (a, b) in enumerate(zip(want, events)):
            out += match(a, b, vs, "subset", f"events[{i}]")
    elif mode == "sequence":
        pos = 0
        for i, a in enumerate(want):
            last = []
            while pos < len(events):
                v2 = Vars(vs)
                last = match(a, events[pos], v2, "subset", f"events[{pos}]")
                pos += 1
                if not last:
                    vs.update(v2)
                    break
            else:
                out.append(f"events: milestone {i} not seen in order: {short(a)}; last tried: {last[:3]}; {len(events)} events in all")
                break
    else:
        out += match({"$contains": want}, events, vs, "subset", "events")
    for n in exp.get("never") or []:
        for i, b in enumerate(events):
            if not match(n, b, Vars(vs)):
                out.append(f"events[{i}]: forbidden {short(n)} seen: {short(b)}")
    return out


# ---------------------------------------------------------------- watch
class Watch:
    def __init__(self, client, req, timeout):
        self.conn, self.resp = client.stream(req, timeout)
        self.events, self.cv, self.done, self.error = [], threading.Condition(), False, None
        self.headers = {k.lower(): v for k, v in self.resp.getheaders()}
        self.status = self.resp.status
        self.raw = b""
        self.th = threading.Thread(target=self.run, daemon=True)
        self.th.start()

    def run(self):
        try:
            if self.status != 200:
                self.raw = self.resp.read()
            else:
                while True:
                    ln = self.resp.readline()
                    if not ln:
                        break
                    if ln.strip():
                        with self.cv:
                            self.events.append(json.loads(ln))
                            self.cv.notify_all()
        except Exception as e:
            self.error = e
        with self.cv:
            self.done = True
            self.cv.notify_all()

    def wait(self, pred, timeout):
        end = time.time() + timeout
        with self.cv:
            while not pred(self.events) and not self.done:
                left = end - time.time()
                if left <= 0:
                    return
                self.cv.wait(left)

    def close(self):
        try:
            if self.conn.sock:
                self.conn.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


# ---------------------------------------------------------------- exec over WebSocket
def pattern_bytes(n, seed):
    """Deterministic bytes: SHA-256 in counter mode."""
    out = bytearray()
    i = 0
    while len(out) < n:
        out += hashlib.sha256(f"{seed}:{i}".encode()).digest()
        i += 1
    return bytes(out[:n])


class Exec:
    def __init__(self, client, req, protocols, timeout=60):
        method, url, hdr, _, creds = client.prepare(req)
        hdr.pop("Accept", None)
        self.sock = client.t.connect(creds, timeout)
        key = base64.b64encode(os.urandom(16)).decode()
        hdr = {"Host": f"{client.t.host}:{client.t.port}", "Upgrade": "websocket", "Connection": "Upgrade",
               "Sec-WebSocket-Key": key, "Sec-WebSocket-Version": "13", **hdr}
        if protocols:
            hdr["Sec-WebSocket-Protocol"] = ", ".join(protocols)
        head = f"{method} {url} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in hdr.items() if v is not None) + "\r\n"
        self.sock.sendall(head.encode())
        buf = b""
        while b"\r\n\r\n" not in buf:
            d = self.sock.recv(65536)
            if not d:
                break
            buf += d
        h, _, rest = buf.partition(b"\r\n\r\n")
        lines = h.decode("latin1").split("\r\n")
        self.status = int(lines[0].split()[1]) if lines[0] else 0
        self.headers = {}
        for ln in lines[1:]:
            k, _, v = ln.partition(":")
            self.headers[k.lower().strip()] = v.strip()
        self.buf, self.frames, self.streams = rest, [], collections.defaultdict(bytearray)
        self.closed = None          # (code, reason) of a close frame
        self.eof = False
        self.out = bytearray()
        self.frag = None
        if self.status != 101:
            n = self.headers.get("content-length")
            chunked = "chunked" in self.headers.get("transfer-encoding", "")
            self.sock.settimeout(5)
            try:
                while (n is None or len(self.buf) < int(n)) and not (chunked and self.buf.endswith(b"0\r\n\r\n")):
                    d = self.sock.recv(65536)
                    if not d:
                        break
                    self.buf += d
            except OSError:
                pass
            data = self.buf
            if chunked:
                res = b""
                while data:
                    ln, _, data = data.partition(b"\r\n")
                    k = int(ln or b"0", 16)
                    if not k:
                        break
                    res, data = res + data[:k], data[k + 2:]
                data = res
            self.resp = Resp(self.status, self.headers, data)
            self.eof = True
            self.sock.close()
        else:
            self.resp = Resp(101, self.headers, b"")
            self.sock.setblocking(False)

    def frame(self, opcode, payload):
        mask = b"\x01\x02\x03\x04"
        n = len(payload)
        h = bytes([0x80 | opcode])
        h += bytes([0x80 | n]) if n < 126 else bytes([0x80 | 126]) + struct.pack(">H", n) if n < 65536 else bytes([0x80 | 127]) + struct.pack(">Q", n)
        m = int.from_bytes((mask * (n // 4 + 1))[:n], "big") if n else 0
        masked = (int.from_bytes(payload, "big") ^ m).to_bytes(n, "big") if n else b""
        self.out += h + mask + masked

    def parse(self):
        while True:
            b = self.buf
            if len(b) < 2:
                return
            fin, op, n, p = b[0] & 0x80, b[0] & 15, b[1] & 127, 2
            if n == 126:
                if len(b) < 4:
                    return
                n, p = struct.unpack(">H", b[2:4])[0], 4
            elif n == 127:
                if len(b) < 10:
                    return
                n, p = struct.unpack(">Q", b[2:10])[0], 10
            if len(b) < p + n:
                return
            pay, self.buf = b[p:p + n], b[p + n:]
            if op == 8:
                self.closed = (struct.unpack(">H", pay[:2])[0] if len(pay) >= 2 else None, pay[2:].decode("utf-8", "replace"))
                self.frame(8, pay[:2])
            elif op == 9:
                self.frame(10, pay)
            elif op in (0, 1, 2):
                if op:
                    self.frag = (op, pay)
                else:
                    self.frag = (self.frag[0], self.frag[1] + pay)
                if fin:
                    op, pay = self.frag
                    self.frames.append((op, pay))
                    if self.base64 and pay:
                        self.streams[pay[0] - 48] += base64.b64decode(pay[1:])
                    elif pay:
                        self.streams[pay[0]] += pay[1:]

    base64 = False

    def pump(self, until, deadline):
        while not self.eof:
            if until():
                return True
            if time.time() > deadline:
                return False
            progress = False
            if self.out:
                try:
                    k = self.sock.send(bytes(self.out[:262144]))
                    del self.out[:k]
                    progress = True
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                    pass
                except OSError:
                    self.out.clear()
            try:
                d = self.sock.recv(262144)
                if not d:
                    self.eof = True
                else:
                    self.buf += d
                    self.parse()
                    progress = True
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                pass
            except OSError:
                self.eof = True
            if not progress and not self.eof:
                select.select([self.sock], [self.sock] if self.out else [], [], 0.05)
        return until()

    def run(self, script, do_step, timeout):
        end = time.time() + timeout
        notes = []
        for act in script:
            if self.eof:
                break
            if "send" in act:
                s = act["send"]
                if "hex" in s:
                    self.frame(2, bytes.fromhex(s["hex"]))
                else:
                    data = pattern_bytes(s["bytes"]["len"], s["bytes"]["seed"]) if "bytes" in s else s["text"].encode()
                    step = s.get("bytes", {}).get("chunk", 32768)
                    for i in range(0, max(len(data), 1), step):
                        self.frame(2, bytes([s["channel"]]) + data[i:i + step])
            elif "close_channel" in act:
                self.frame(2, bytes([255, act["close_channel"]]))
            elif "wait" in act:
                w = act["wait"]
                st = self.streams[w["channel"]]
                ok = self.pump((lambda: w["contains"].encode() in st) if "contains" in w else (lambda: len(st) >= w["len"]), min(end, time.time() + w.get("timeout", 20)))
                if not ok:
                    notes.append(f"exec: while waiting for {w}: got {bytes(st[:200])!r}")
                    break
            elif "pause" in act:
                self.pump(lambda: False, time.time() + act["pause"])
            elif "request" in act:
                notes += do_step(act)
            elif "close" in act:
                self.frame(8, struct.pack(">H", act["close"]))
            elif "drop" in act:
                self.pump(lambda: not self.out, end)
                self.sock.close()
                self.eof = True
                return notes
        self.pump(lambda: self.eof or (self.closed and not self.out), end)
        if not self.eof and not self.closed:
            notes.append("exec: server did not end the session in time")
        try:
            self.sock.close()
        except OSError:
            pass
        return notes


def match_exec(exp, ex, vs):
    out = []
    if exp.get("status", 101) != ex.status:
        out.append(f"status: expected {exp.get('status', 101)}, got {ex.status} {short(ex.resp.body)}")
        return out
    if ex.status != 101:
        return match_response(exp, ex.resp, vs)
    if "subprotocol" in exp:
        got = ex.headers.get("sec-websocket-protocol")
        if got != exp["subprotocol"]:
            out.append(f"subprotocol: expected {exp['subprotocol']!r}, got {got!r}")
    for ch, want in (exp.get("streams") or {}).items():
        got = bytes(ex.streams.get(int(ch), b""))
        if "sha256" in want:
            if len(got) != want["len"] or hashlib.sha256(got).hexdigest() != want["sha256"]:
                out.append(f"channel {ch}: expected {want['len']} bytes sha256 {want['sha256'][:12]}…, got {len(got)} bytes {hashlib.sha256(got).hexdigest()[:12]}…")
        elif "json" in want:
            try:
                out += match(want["json"], json.loads(got), vs, want.get("match", "subset"), f"channel {ch}")
            except ValueError:
                out.append(f"channel {ch}: not JSON: {short(got.decode('utf-8', 'replace'))}")
        else:
            out += match(want["text"], got.decode("utf-8", "replace"), vs, path=f"channel {ch}")
    if exp.get("other_streams") == "empty":
        for ch, got in ex.streams.items():
            if got and str(ch) not in (exp.get("streams") or {}):
                out.append(f"channel {ch}: unexpected {short(bytes(got[:200]).decode('utf-8', 'replace'))!r}")
    if exp.get("last_channel") is not None:
        data = [p[0] for _, p in ex.frames if len(p) > 1]
        if not data or data[-1] != exp["last_channel"]:
            out.append(f"last data frame: expected channel {exp['last_channel']}, got {data[-1:]}")
    if "close" in exp:
        code = ex.closed[0] if ex.closed else None
        if code != exp["close"]:
            out.append(f"close code: expected {exp['close']}, got {code}")
    return out


# ---------------------------------------------------------------- running a case
NS_VARS = ("ns", "ns2")
_no_sa = threading.Event()


class Runner:
    def __init__(self, target, image="registry.example/app:1", keep=False, hook=None):
        self.t, self.c, self.image, self.keep, self.hook = target, Client(target), image, keep, hook

    def ensure_ns(self, case, vs):
        text = json.dumps(case)
        for n in NS_VARS:
            if "{{%s}}" % n in text and n not in vs:
                vs[n] = "conf-" + "".join(random.choice("bcdfghjklmnpqrstvwxz2456789") for _ in range(8))
                if n in (case.get("no_create") or []):
                    continue
                r = self.c.call({"method": "POST", "path": "/api/v1/namespaces", "body": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": vs[n]}}})
                if r.status != 201:
                    raise AssertionError(f"set-up: cannot create namespace: {r.status} {short(r.body)}")
                end = time.time() + 8
                while not _no_sa.is_set():
                    if self.c.call({"path": f"/api/v1/namespaces/{vs[n]}/serviceaccounts/default"}).status == 200:
                        break
                    if time.time() > end:
                        _no_sa.set()
                    time.sleep(0.05)

    def cleanup(self, case, vs):
        for st in case.get("cleanup") or []:
            try:
                self.c.call(subst(st["request"], vs))
            except Exception:
                pass
        if not self.keep:
            for n in NS_VARS:
                if n in vs:
                    try:
                        self.c.call({"method": "DELETE", "path": f"/api/v1/namespaces/{vs[n]}"})
                    except Exception:
                        pass

    def run(self, case):
        vs, watches, errs = Vars(image=self.image), {}, []
        try:
            self.ensure_ns(case, vs)
            for i, st in enumerate(case["steps"]):
                e = self.step(st, vs, watches)
                if e:
                    errs += [f"step {i + 1} ({self.label(st)}): {x}" for x in e]
                    break
            else:
                for a, b in case.get("order") or []:
                    if not int(vs[a]) < int(vs[b]):
                        errs.append(f"order: {a}={vs[a]} is not < {b}={vs[b]}")
        except Exception as e:
            errs.append(f"{type(e).__name__}: {e}")
            if os.environ.get("REPLAY_TRACE"):
                traceback.print_exc()
        for w in watches.values():
            w.close()
        self.cleanup(case, vs)
        return errs

    @staticmethod
    def label(st):
        if "collect" in st:
            return f"collect {st['collect']}"
        r = st.get("request") or {}
        return f"{'exec ' if 'exec' in st else ''}{r.get('method', 'GET')} {r.get('path', '')}{encode_query(r.get('query'))}"[:160]

    def step(self, st, vs, watches):
        hook = self.hook
        if "pause" in st:
            time.sleep(st["pause"])
            return []
        if "collect" in st:
            w = watches[st["collect"]]
            exp = st["response"]
            w.wait(lambda ev: not match_events(exp, ev, Vars(vs)), st.get("timeout", 30))
            if hook:
                hook(st, vs, w)
            out = match_events(exp, list(w.events), vs)
            w.close()
            return out
        req = subst(st["request"], vs)
        if "background" in st:
            w = watches[st["background"]] = Watch(self.c, req, 180)
            if w.status != 200:
                return [f"status: expected 200, got {w.status}"]
            return []
        if "exec" in st:
            spec = subst(st["exec"], vs)
            ex = Exec(self.c, req, spec.get("protocols"))
            ex.base64 = bool(spec.get("base64"))
            notes = []
            if ex.status == 101:
                notes = ex.run(spec.get("script") or [], lambda a: self.step(a, vs, watches), spec.get("timeout", 40))
            if hook:
                hook(st, vs, ex)
            return match_exec(st["response"], ex, vs) + notes
        if "stream" in st:
            w = Watch(self.c, req, st["stream"].get("timeout", 60))
            w.wait(lambda ev: False, st["stream"].get("timeout", 60))
            if hook:
                hook(st, vs, w)
            exp = st["response"]
            out = []
            if "status" in exp and w.status != exp["status"]:
                out.append(f"status: expected {exp['status']}, got {w.status} {short(w.raw.decode('utf-8', 'replace'))}")
            elif w.status == 200:
                for k, v in (exp.get("headers") or {}).items():
                    out += match(v, w.headers.get(k.lower(), ""), vs, path=f"header {k}")
                if not w.done:
                    out.append("stream: the server did not end the watch after timeoutSeconds")
                out += match_events(exp, list(w.events), vs)
            else:
                out += match_response(exp, Resp(w.status, w.headers, w.raw), vs)
            w.close()
            return out
        if "poll" in st:
            end = time.time() + st["poll"].get("timeout", 60)
            while True:
                r = self.c.call(req)
                v2 = Vars(vs)
                out = match_response(st["response"], r, v2)
                if not out or time.time() > end:
                    vs.update(v2)
                    if hook:
                        hook(st, vs, r)
                    return out if not out else [f"not reached in {st['poll'].get('timeout', 60)} s: {x}" for x in out]
                time.sleep(st["poll"].get("interval", 0.1))
        if "race" in st:
            q = queue.Queue()
            reqs = [subst(r, vs) for r in st["race"]]
            bar = threading.Barrier(len(reqs))

            def go(r):
                c = Client(self.t)
                bar.wait()
                try:
                    q.put(c.call(r))
                except Exception as e:
                    q.put(e)
            ths = [threading.Thread(target=go, args=(r,)) for r in reqs]
            [t.start() for t in ths]
            [t.join() for t in ths]
            got = sorted(getattr(x, "status", 0) for x in list(q.queue))
            if hook:
                hook(st, vs, list(q.queue))
            return [] if got == sorted(st["response"]["statuses"]) else [f"statuses: expected {st['response']['statuses']}, got {got}"]
        r = self.c.call(req)
        if hook:
            hook(st, vs, r)
        return match_response(st["response"], r, vs)


def load(paths):
    cases = []
    for p in paths:
        files = sorted(os.path.join(p, f) for f in os.listdir(p) if f.endswith(".json")) if os.path.isdir(p) else [p]
        for f in files:
            doc = json.load(open(f))
            if isinstance(doc, dict) and "cases" in doc:
                for c in doc["cases"]:
                    c.setdefault("area", doc.get("area", os.path.basename(f)[:-5]))
                    cases.append(c)
    return cases


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--kubeconfig", default=os.environ.get("KUBECONFIG", os.path.expanduser("~/.kube/config")))
    ap.add_argument("--corpus", action="append", help="folder or file (repeatable); default: the folder of this script")
    ap.add_argument("--only", action="append", default=[], help="glob on AREA/ID, or a plain substring (repeatable)")
    ap.add_argument("--skip-tag", action="append", default=[], help="leave out cases that carry this tag")
    ap.add_argument("--image", default=os.environ.get("CONFORMANCE_IMAGE", "registry.example/app:1"), help="image for pods (needs /bin/bash and coreutils)")
    ap.add_argument("--jobs", type=int, default=1)
    ap.add_argument("--keep", action="store_true", help="leave the namespaces behind")
    ap.add_argument("--list", action="store_true")
    ap.add_argument("-v", "--verbose", action="store_true", help="print passing cases and times too")
    a = ap.parse_args()
    cases = load(a.corpus or [os.path.dirname(os.path.abspath(__file__))])
    if a.only:
        cases = [c for c in cases if any(fnmatch.fnmatch(f"{c['area']}/{c['id']}", o) or fnmatch.fnmatch(c["id"], o) or o in f"{c['area']}/{c['id']}" for o in a.only)]
    cases = [c for c in cases if not set(a.skip_tag) & set(c.get("tags") or [])]
    if a.list:
        for c in cases:
            print(f"{c['area']}/{c['id']}  {c['title']}  {','.join(c.get('tags') or [])}")
        return 0
    target = Target(a.kubeconfig)
    work, lock, res = queue.Queue(), threading.Lock(), {"ok": 0, "bad": 0}
    for c in cases:
        work.put(c)

    def worker():
        rn = Runner(target, a.image, a.keep)
        while True:
            try:
                c = work.get_nowait()
            except queue.Empty:
                return
            t0 = time.time()
            errs = rn.run(c)
            with lock:
                if errs:
                    res["bad"] += 1
                    ln = f"FAIL {c['area']}/{c['id']}: " + " | ".join(errs[:8]) + (f" | …{len(errs) - 8} more" if len(errs) > 8 else "")
                    print(ln.replace("\r", "\\r").replace("\n", "\\n"), flush=True)
                else:
                    res["ok"] += 1
                    if a.verbose:
                        print(f"ok   {c['area']}/{c['id']} {time.time() - t0:.2f}s", flush=True)
    ths = [threading.Thread(target=worker) for _ in range(max(1, a.jobs))]
    [t.start() for t in ths]
    [t.join() for t in ths]
    print(f"{res['ok']} passed, {res['bad']} failed")
    return 1 if res["bad"] or not (res["ok"] + res["bad"]) else 0


if __name__ == "__main__":
    sys.exit(main())
