#!/usr/bin/python3
"""Records every committed trace again, from real servers under real load.

    ./bazelw run //stress/trace:record [-- --only NAME ...]

Each server runs under the recorder (recorder.c) from a configuration in a
temporary folder, on free ports of 127.0.0.1, and is stopped at the end; nothing
outside that folder and stress/traces is touched.  Loads are bounded in count
and time, and their random choices are seeded, but a recording is never the same
twice: threads are scheduled anew.  So the traces, their figures (traces.tsv)
and their story (PROVENANCE.md, provenance.json) are written together.
"""

import argparse
import datetime
import hashlib
import json
import os
import pathlib
import platform
import queue
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).absolute().parent
EVENTS_MAX = 1_200_000
# The recorder's own limit: bounds the raw files to 160 MB each.
RAW_EVENTS_MAX = 4 * EVENTS_MAX
LOOPBACK = "127.0.0.1"
# What a recording may leave out before it is refused, a share of its events.
UNKNOWN_SHARE_MAX = 0.001
LOOP_BYTES_PER_MILLION = 20 * 1024


class Trouble(Exception):
    """What the user must know, in one line."""


# ---- Machinery ------------------------------------------------------------


def free_port():
    with socket.socket() as s:
        s.bind((LOOPBACK, 0))
        return s.getsockname()[1]


def wait_for_port(port, process, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise Trouble(f"server ended with {process.returncode} at start")
        try:
            socket.create_connection((LOOPBACK, port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise Trouble(f"nobody listens on port {port} after {seconds} s")


class Recording:
    """One server in one folder; a context that stops what it started."""

    def __init__(self, tools, folder):
        self.tools = tools
        self.folder = folder
        self.raw = folder / "raw"
        self.raw.mkdir()
        self.log = open(folder / "log", "ab")
        self.started = []

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def start(self, command, recorded=False, environment=None):
        env = dict(os.environ)
        env.update(environment or {})
        if recorded:
            env["TRACE_RECORD"] = str(self.raw)
            env["TRACE_RECORD_EVENTS"] = str(RAW_EVENTS_MAX)
            env["LD_PRELOAD"] = str(self.tools.recorder)
        process = subprocess.Popen(
            [str(c) for c in command], env=env, cwd=self.folder,
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.started.append(process)
        return process

    def run(self, command, seconds=120, recorded=False, environment=None):
        process = self.start(command, recorded, environment)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Trouble(f"{command[0]} is not done after {seconds} s")
        if code != 0:
            raise Trouble(f"{command[0]} ended with {code}")

    def stop(self, process):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.started):
            self.stop(process)
        self.log.close()

    def origin(self):
        """An unrecorded nginx with files of log-normal sizes; its port."""
        rng = random.Random(7)
        files = self.folder / "files"
        files.mkdir()
        words = [bytes(rng.choices(b"etaoinshrdlucmfw", k=rng.randint(2, 9)))
                 for _ in range(4000)]
        for i in range(400):
            size = min(int(rng.lognormvariate(9.0, 1.1)), 400_000)
            text = b" ".join(rng.choices(words, k=size // 5 + 1))
            (files / f"{i}.html").write_bytes(text[:size])
        port = free_port()
        conf = self.write("origin.conf", f"""
            daemon off; master_process off; worker_processes 1;
            pid {self.folder}/origin.pid; error_log {self.folder}/log;
            events {{ worker_connections 512; }}
            http {{
                access_log off; types {{ text/html html; }}
                client_body_temp_path {self.folder}/o1;
                proxy_temp_path {self.folder}/o2;
                fastcgi_temp_path {self.folder}/o3;
                uwsgi_temp_path {self.folder}/o4;
                scgi_temp_path {self.folder}/o5;
                server {{
                    listen {LOOPBACK}:{port}; root {files};
                    # Any key below /KEY/FILE.html is a page of its own.
                    location / {{ rewrite ^/[^/]+/(.*)$ /$1 break; }}
                }}
            }}""")
        process = self.start(["nginx", "-p", self.folder, "-c", conf])
        wait_for_port(port, process)
        return port

    def browse(self, port, seconds, connections, keys):
        """wrk asks for pages by a skewed choice of keys."""
        script = self.write("load.lua", f"""
            math.randomseed(11)
            local agents = {{}}
            for i = 1, 50 do
                agents[i] = "agent/" .. string.rep("x", math.random(5, 300))
            end
            request = function()
                local r = math.random()
                local key = math.floor(r * r * r * {keys})
                local headers = {{
                    ["User-Agent"] = agents[math.random(1, #agents)],
                    ["Accept-Encoding"] = "gzip",
                }}
                if math.random() < 0.3 then
                    headers["Cookie"] = string.rep("c", math.random(10, 900))
                end
                return wrk.format("GET", "/k" .. key .. "/" .. key % 400
                                  .. ".html", headers)
            end""")
        self.run(["wrk", "-t", 2, "-c", connections, "-d", f"{seconds}s", "-s",
                  script, f"http://{LOOPBACK}:{port}/"], seconds + 30)


def log_line(rng, words):
    """An RFC 3164 line whose length is log-normal, median 120 bytes."""
    size = max(20, min(int(rng.lognormvariate(4.8, 0.9)), 7000))
    text = " ".join(rng.choices(words, k=size // 5 + 1))[:size]
    host = f"host{rng.randint(1, 40)}"
    tag = rng.choice(["kernel", "sshd", "cron", "postfix/smtpd", "app"])
    day = rng.randint(10, 28)
    return (f"<{rng.randint(0, 191)}>Nov {day} 10:{rng.randint(10, 59)}:"
            f"{rng.randint(10, 59)} {host} {tag}[{rng.randint(1, 65000)}]: "
            f"{text}\n").encode()


# ---- The programs -----------------------------------------------------------
#
# Each function runs one load and returns nothing; its docstring is what
# PROVENANCE.md says about configuration and load.


def record_rsyslogd(r):
    """imtcp on loopback; main queue LinkedList, 2 workers, batches of 64; every
    message into one file, warnings into files by severity, logins apart.
    Load: 4 connections at once, 200,000 RFC 3164 lines in all, lengths
    log-normal (median 120 bytes, sigma 0.9, at most 7,000)."""
    port = free_port()
    conf = r.write("rsyslog.conf", f"""
global(workDirectory="{r.folder}")
module(load="imtcp")
main_queue(queue.type="LinkedList" queue.size="20000"
           queue.workerThreads="2" queue.workerThreadMinimumMessages="20"
           queue.dequeueBatchSize="64")
template(name="bySeverity" type="string"
         string="{r.folder}/out-%syslogseverity-text%.log")
input(type="imtcp" port="{port}" address="{LOOPBACK}")
:programname, isequal, "sshd" action(type="omfile" file="{r.folder}/logins")
*.warning action(type="omfile" dynaFile="bySeverity")
*.* action(type="omfile" file="{r.folder}/all")
""")
    server = r.start(["rsyslogd", "-n", "-f", conf, "-i",
                      r.folder / "rsyslogd.pid"], recorded=True)
    wait_for_port(port, server)

    def send(seed):
        rng = random.Random(seed)
        words = ["".join(rng.choices("abcdefghijklmnop", k=rng.randint(2, 9)))
                 for _ in range(500)]
        with socket.create_connection((LOOPBACK, port)) as s:
            for _ in range(5000):
                s.sendall(b"".join(log_line(rng, words) for _ in range(10)))
                time.sleep(rng.random() * 0.002)

    senders = [threading.Thread(target=send, args=(i,)) for i in range(4)]
    for s in senders:
        s.start()
    for s in senders:
        s.join()
    time.sleep(2)
    r.stop(server)


def resp(*words):
    out = [b"*%d\r\n" % len(words)]
    for w in words:
        w = w if isinstance(w, bytes) else str(w).encode()
        out.append(b"$%d\r\n%s\r\n" % (len(w), w))
    return b"".join(out)


def record_redis(r):
    """3 I/O threads that also read, every lazy-free option on, maxmemory 12
    MiB with allkeys-lru, no persistence.  Load: redis-benchmark SET, GET
    (12,000 each) and LPUSH (2,000) of 2,000-byte values over 100,000 keys by 16
    clients; meanwhile one
    client fills hashes (130 to 600 fields of log-normal size) and unlinks the
    older ones, another sets keys with short expiry."""
    port = free_port()
    conf = r.write("redis.conf", f"""
bind {LOOPBACK}
port {port}
daemonize no
dir {r.folder}
save ""
appendonly no
io-threads 3
io-threads-do-reads yes
maxmemory 12mb
maxmemory-policy allkeys-lru
lazyfree-lazy-eviction yes
lazyfree-lazy-expire yes
lazyfree-lazy-server-del yes
lazyfree-lazy-user-del yes
lazyfree-lazy-user-flush yes
""")
    server = r.start(["redis-server", conf], recorded=True)
    wait_for_port(port, server)

    def converse(seed, batches):
        with socket.create_connection((LOOPBACK, port)) as s:
            answers = threading.Thread(target=drain, args=(s,))
            answers.start()
            rng = random.Random(seed)
            for batch in batches(rng):
                s.sendall(batch)
                time.sleep(0.005)
            s.shutdown(socket.SHUT_WR)
            answers.join()

    def drain(s):
        while s.recv(1 << 16):
            pass

    def hashes(rng):
        for i in range(180):
            fields = rng.randint(130, 600)
            for start in range(0, fields, 50):
                words = ["HSET", f"hash{i}"]
                for f in range(start, min(start + 50, fields)):
                    size = min(int(rng.lognormvariate(4.0, 0.8)), 4000)
                    words += [f"field{f}", rng.randbytes(size)]
                yield resp(*words)
            if i >= 12:
                yield resp("UNLINK", f"hash{i - rng.randint(3, 12)}")

    def expiring(rng):
        for i in range(900):
            yield b"".join(
                resp("SET", f"short{i}:{j}",
                     rng.randbytes(min(int(rng.lognormvariate(5, 1)), 9000)),
                     "PX", rng.randint(50, 900)) for j in range(6))

    clients = [threading.Thread(target=converse, args=(1, hashes)),
               threading.Thread(target=converse, args=(2, expiring))]
    for c in clients:
        c.start()
    for tests, count in (("set,get", 12_000), ("lpush", 2_000)):
        r.run(["redis-benchmark", "-h", LOOPBACK, "-p", port, "-q", "-c", 16,
               "-n", count, "-r", 100_000, "-d", 2000, "-t", tests])
    for c in clients:
        c.join()
    r.stop(server)


def record_varnishd(r):
    """malloc store of 24 MiB (the pages asked for need far more), 2 thread
    pools of 10 to 60 threads, no jail; the process recorded is the worker,
    with its history before the manager forked it.  Origin: nginx with 400
    files of log-normal size.  Load: wrk, 2 threads, 48 connections, 13 s,
    20,000 keys, skewed (cube of a uniform)."""
    origin = r.origin()
    port = free_port()
    server = r.start(
        ["varnishd", "-F", "-n", r.folder / "varnish", "-j", "none", "-a",
         f"{LOOPBACK}:{port}", "-b", f"{LOOPBACK}:{origin}", "-s",
         "malloc,24m", "-p", "thread_pools=2", "-p", "thread_pool_min=10",
         "-p", "thread_pool_max=60"], recorded=True)
    wait_for_port(port, server, 60)
    r.browse(port, 13, 48, 20_000)
    r.stop(server)


def record_haproxy(r):
    """-dMno-cache,no-global,no-merge, 2 threads, HTTP mode with compression,
    header rewriting and a stick table, two servers that are both the origin
    (nginx with 400 files of log-normal size).  Load: wrk, 2 threads, 48
    connections, 3 s, 20,000 keys, skewed."""
    origin = r.origin()
    port = free_port()
    conf = r.write("haproxy.cfg", f"""
global
    nbthread 2
    maxconn 500
defaults
    mode http
    timeout connect 5s
    timeout client 10s
    timeout server 10s
frontend front
    bind {LOOPBACK}:{port}
    stick-table type string len 64 size 5k expire 10s store http_req_rate(2s)
    http-request track-sc0 path
    http-request set-header X-Rate %[sc_http_req_rate(0)]
    http-request capture req.hdr(User-Agent) len 128
    compression algo gzip
    compression type text/html
    default_backend back
backend back
    balance uri
    server one {LOOPBACK}:{origin}
    server two {LOOPBACK}:{origin}
""")
    server = r.start(["haproxy", "-db", "-dMno-cache,no-global,no-merge", "-f",
                      conf], recorded=True)
    wait_for_port(port, server)
    r.browse(port, 3, 48, 20_000)
    r.stop(server)


def record_nginx(r):
    """Master and one worker (recorded, with the master's history before the
    fork); proxy to the origin (another nginx, 400 files of log-normal size)
    with keep-alive, gzip level 2 of text, small proxy buffers.  Load: wrk, 2
    threads, 48 connections, 22 s, 20,000 keys, skewed."""
    origin = r.origin()
    port = free_port()
    conf = r.write("nginx.conf", f"""
        daemon off; worker_processes 1; pid {r.folder}/nginx.pid;
        error_log {r.folder}/log;
        events {{ worker_connections 512; }}
        http {{
            access_log {r.folder}/access.log;
            client_body_temp_path {r.folder}/n1; proxy_temp_path {r.folder}/n2;
            fastcgi_temp_path {r.folder}/n3; uwsgi_temp_path {r.folder}/n4;
            scgi_temp_path {r.folder}/n5;
            gzip on; gzip_comp_level 2; gzip_proxied any;
            gzip_min_length 256; proxy_buffers 8 4k;
            upstream origin {{ server {LOOPBACK}:{origin}; keepalive 8; }}
            server {{
                listen {LOOPBACK}:{port};
                location / {{
                    proxy_pass http://origin;
                    proxy_http_version 1.1;
                    proxy_set_header Connection "";
                    proxy_set_header X-Real-IP $remote_addr;
                }}
            }}
        }}""")
    server = r.start(["nginx", "-p", r.folder, "-c", conf], recorded=True)
    wait_for_port(port, server)
    r.browse(port, 22, 48, 20_000)
    r.stop(server)


def python_work():
    """What record_python3 records: a small data pipeline of 4 threads."""
    import csv
    import io
    import re
    rng = random.Random(5)
    lines, results = queue.Queue(50), queue.Queue(50)
    words = ["".join(rng.choices("abcdefghijklmnop", k=rng.randint(2, 9)))
             for _ in range(2000)]

    def produce():
        for i in range(700):
            record = {
                "id": i, "tags": rng.sample(words, rng.randint(1, 12)),
                "text": " ".join(rng.choices(
                    words, k=min(int(rng.lognormvariate(3, 1)), 400))),
                "weights": [rng.random() for _ in range(rng.randint(0, 40))]}
            lines.put(json.dumps(record))
        for _ in range(2):
            lines.put(None)

    def transform():
        pattern = re.compile(r"\b(\w)(\w*)\b")
        while (line := lines.get()) is not None:
            record = json.loads(line)
            record["text"] = pattern.sub(r"\2\1", record["text"]).split()
            record["count"] = {w: record["text"].count(w)
                               for w in set(record["text"])}
            results.put(record)
        results.put(None)

    def collect():
        index, ended = {}, 0
        while ended < 2:
            record = results.get()
            if record is None:
                ended += 1
                continue
            for w, n in record["count"].items():
                index.setdefault(w, []).append((record["id"], n))
            if len(index) > 1500:
                out = io.StringIO()
                csv.writer(out).writerows(sorted(
                    (w, len(p), max(p)[0]) for w, p in index.items()))
                for w in list(index)[::2]:
                    del index[w]

    threads = [threading.Thread(target=t)
               for t in (produce, transform, transform, collect)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def record_python3(r):
    """PYTHONMALLOC=malloc, so that every object is a call of malloc.  Load: 4
    threads and two queues: one makes 700 JSON records, two parse, substitute
    by a regular expression and count words, one keeps an inverted index, sorts
    it and writes CSV (python_work in record.py).  Its frees on other threads
    are records handed over."""
    r.run(["/usr/bin/python3", "-s", "-B", HERE / "record.py", "--python-work"],
          recorded=True, environment={"PYTHONMALLOC": "malloc"})


GCC_INPUT = """
#include <gtest/gtest.h>
#include <algorithm>
#include <map>
#include <random>
#include <regex>
#include <string>
#include <unordered_map>
#include <vector>
template <int N> struct Table {
    std::map<std::string, std::vector<int>> rows;
    std::unordered_map<int, std::string> names;
    int add(const std::string &s) {
        std::regex word("[a-z]+(" + std::to_string(N) + ")?");
        for (std::sregex_iterator i(s.begin(), s.end(), word), e; i != e; ++i)
            rows[i->str()].push_back(N);
        names.emplace(N, s);
        std::mt19937 g(N);
        for (auto &r : rows) std::shuffle(r.second.begin(), r.second.end(), g);
        return static_cast<int>(rows.size()) + N;
    }
};
"""


def record_gcc(r):
    """g++ -O2 of 4 GoogleTest tests over an instantiated class template with
    maps, regular expressions and shuffles; the process recorded is cc1plus,
    the compiler proper.  Its own collector takes much of its memory in large
    blocks."""
    source = r.write("input.cc", GCC_INPUT + "".join(
        f"""TEST(Table, Adds{i}) {{
    Table<{i}> t;
    EXPECT_EQ({i + 2}, t.add("one two")) << t.names.at({i});
}}
""" for i in range(4)))
    r.run(["g++", "-O2", "-c", source, "-o", r.folder / "input.o"],
          recorded=True)


PROGRAMS = {
    # name: (function, program of the process, Debian package)
    "rsyslogd": (record_rsyslogd, "rsyslogd", "rsyslog"),
    "redis": (record_redis, "redis-server", "redis-server"),
    "varnishd": (record_varnishd, "varnishd", "varnish"),
    "haproxy": (record_haproxy, "haproxy", "haproxy"),
    "nginx": (record_nginx, "nginx", "nginx"),
    "python3": (record_python3, "python3", "python3"),
    "gcc": (record_gcc, "cc1plus", "g++"),
}


# ---- From recordings to traces ---------------------------------------------


def values_of(text):
    return dict(line.split(" ", 1) for line in text.splitlines())


def package_version(package):
    got = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package],
                         capture_output=True, text=True)
    return got.stdout if got.returncode == 0 else ""


def machine_class():
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return (f"{os.cpu_count()} processors {platform.machine()}, "
            f"{round(memory / 2**30)} GiB, Linux "
            f"{'.'.join(platform.release().split('.')[:2])}, "
            f"{' '.join(platform.libc_ver())}")


def make_trace(tools, name, keep):
    function, program, package = PROGRAMS[name]
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"record-{name}-"))
    try:
        started = time.monotonic()
        with Recording(tools, folder) as r:
            try:
                function(r)
            except Trouble as trouble:
                log = (folder / "log").read_text(errors="replace")
                raise Trouble(f"{name}: {trouble}\n{log[-2000:]}")
        seconds = time.monotonic() - started
        # Every process of the load has a file; the one that did most is it.
        found = max(r.raw.glob("*.raw"), key=lambda p: p.stat().st_blocks)
        path = tools.out / f"{name}.trace.xz"
        done = subprocess.run(
            [tools.trace_tool, "convert", found, path, str(EVENTS_MAX)],
            capture_output=True, text=True)
        if done.returncode != 0:
            raise Trouble(f"{name}: {done.stderr.strip()}")
        v = values_of(done.stdout)
        events = int(v["events"])
        if not found.name.startswith(program[:15] + "."):
            raise Trouble(f"{name}: most calls are {found.name}'s")
        left_out = int(v["unknown_frees"]) + int(v["unknown_reallocs"]) + int(
            v["reused_without_free"])
        if left_out > UNKNOWN_SHARE_MAX * events:
            raise Trouble(f"{name}: {left_out} calls make no sense")
        if (int(v["packed_bytes_without_times"]) * 1e6 / events <
                LOOP_BYTES_PER_MILLION):
            raise Trouble(f"{name}: is a loop, packs too well; other load")
        figures = {k: v[k] for k in v if k not in ("program", "lost")}
        print(f"{name}: {events} events, {v['threads']} threads, "
              f"{v['cross_thread_percent']} % of frees by another thread, "
              f"{path.stat().st_size} bytes, {seconds:.0f} s", flush=True)
        return {
            "program": program,
            "package": f"{package} {package_version(package)}",
            "load": " ".join(function.__doc__.split()),
            "date": datetime.date.today().isoformat(),
            "machine": machine_class(),
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "bytes": path.stat().st_size,
            "figures": figures,
        }
    finally:
        if keep:
            print(f"{name}: kept {folder}")
        else:
            shutil.rmtree(folder)


TABLE = ["events", "threads", "blocks", "frees", "cross_thread_frees",
         "peak_live_bytes", "peak_live_blocks", "packed_bytes",
         "packed_bytes_without_times"]


def write_story(out, story):
    for name, text in story_files(story).items():
        (out / name).write_text(text)


def story_files(story):
    """provenance.json keeps the story; the other two are made from it."""
    rows = ["\t".join(["name"] + TABLE + ["sha256"])]
    for name in sorted(story):
        s = story[name]
        rows.append("\t".join([name] + [s["figures"][c] for c in TABLE]
                              + [s["sha256"]]))
    text = ["# Where the traces come from", "",
            "Generated by `./bazelw run //stress/trace:record`, which recorded "
            "them; do not edit.", "",
            "Each is the history of one process from its start (a forked "
            "worker's includes", "its parent's up to the fork), cut at "
            f"{EVENTS_MAX:,} events.  \"Cross\" is the share of", "frees by "
            "another thread than the one that allocated.  The last column is "
            "the packed", "size a million events without the column of times.",
            "",
            "| trace | events | threads | allocs | reallocs | frees | cross % |"
            " peak live bytes | seconds | KiB | KiB/M, no times |",
            "|---|---|---|---|---|---|---|---|---|---|---|"]
    for name in sorted(story):
        f = {k: float(x) if "." in x else int(x)
             for k, x in story[name]["figures"].items()}
        text.append(
            f"| {name} | {f['events']:,} | {f['threads']} | {f['blocks']:,} | "
            f"{f['events_realloc']:,} | {f['frees']:,} | "
            f"{f['cross_thread_percent']:.2f} | {f['peak_live_bytes']:,} | "
            f"{f['duration_ms'] / 1000:.1f} | {f['packed_bytes'] / 1024:.0f} | "
            f"{f['packed_bytes_without_times'] * 1e6 / f['events'] / 1024:.0f}"
            " |")
    for name in sorted(story):
        s, f = story[name], story[name]["figures"]
        text += ["", f"## {name}", "",
                 f"- Process `{s['program']}` of package {s['package']}, "
                 f"recorded {s['date']}.",
                 f"- Machine: {s['machine']}.",
                 f"- {s['load']}",
                 f"- Records in all {f['records']}, behind the cut "
                 f"{f['left_over']}; forks before {f['forks']}; left out: "
                 f"frees of unknown blocks {f['unknown_frees']}, reallocs of "
                 f"unknown blocks {f['unknown_reallocs']}, failed reallocs "
                 f"{f['failed_reallocs']}; addresses reused without a free "
                 f"{f['reused_without_free']}.",
                 f"- sha256 `{s['sha256']}`, {s['bytes']} bytes."]
    return {
        "provenance.json": json.dumps(story, indent=1, sort_keys=True) + "\n",
        "traces.tsv": "\n".join(rows) + "\n",
        "PROVENANCE.md": "\n".join(text) + "\n",
    }


def check_packages(names):
    """packages.record has a line `package name...` a package."""
    missing = []
    for line in (HERE / "packages.record").read_text().split("\n"):
        package, *needed_by = line.split() or ["#"]
        if package.startswith("#") or not set(needed_by) & set(names):
            continue
        if not package_version(package):
            missing.append(package)
    if missing:
        raise Trouble("recording needs what is not installed here: apt-get "
                      "install --no-install-recommends " + " ".join(missing))


def check_story(folder):
    """The three files of the story agree, and with the traces."""
    story = json.loads((folder / "provenance.json").read_text())
    for name, text in story_files(story).items():
        if (folder / name).read_text() != text:
            raise Trouble(f"{name} is not what provenance.json makes it")
    for name in story:
        trace = (folder / f"{name}.trace.xz").read_bytes()
        if hashlib.sha256(trace).hexdigest() != story[name]["sha256"]:
            raise Trouble(f"{name}.trace.xz has another sha256")
    print(f"{len(story)} traces are as their story says")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--recorder", type=pathlib.Path,
                        default=HERE / "librecorder.so")
    parser.add_argument("--trace-tool", type=pathlib.Path,
                        default=HERE / "trace_tool")
    parser.add_argument("--out", type=pathlib.Path, help="folder of traces")
    parser.add_argument("--only", nargs="+", choices=PROGRAMS, metavar="NAME",
                        default=list(PROGRAMS))
    parser.add_argument("--keep", action="store_true",
                        help="keep the folders with the raw recordings")
    parser.add_argument("--python-work", action="store_true",
                        help=argparse.SUPPRESS)
    parser.add_argument("--check-story", type=pathlib.Path, metavar="FOLDER",
                        help="only check what lies beside the traces there")
    tools = parser.parse_args()
    if tools.check_story is not None:
        check_story(tools.check_story)
        return 0
    if tools.python_work:
        python_work()
        return 0
    if tools.out is None:
        root = os.environ.get("BUILD_WORKSPACE_DIRECTORY")
        if root is None:
            raise Trouble("say --out FOLDER, or use bazel run")
        tools.out = pathlib.Path(root) / "stress" / "traces"
    tools.recorder = tools.recorder.resolve()
    tools.out = tools.out.resolve()
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    check_packages(tools.only)
    old = tools.out / "provenance.json"
    story = json.loads(old.read_text()) if old.exists() else {}
    for name in tools.only:
        story[name] = make_trace(tools, name, tools.keep)
        write_story(tools.out, story)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Trouble as trouble:
        print(f"record: {trouble}", file=sys.stderr)
        sys.exit(1)
