#!/usr/bin/env python3
"""Runs TLC on the models of manifest.json and compares what it finds.

    check.py run JAR MANIFEST SUITE MODULE
        runs the models of a module and suite, fails over any difference; with
        ManyModels.class in the environment's TLC_MANY those that take seconds
        share one Java run-time
    check.py many JAR SOURCE OUT
        compiles ManyModels.java
    check.py classes JAR OUT
        writes TLC's classes as the Java run-time keeps them in memory, which
        saves a third of the time of a model that takes a second
    check.py write JAR MANIFEST [SUITE|MODEL...]
        runs them ("small" if nothing is named), writes the figures found into
        the manifest, and the table into README.md
    check.py table MANIFEST README MODULE...
        fails unless the table is the manifest's, every configuration is in the
        manifest, and the modules are those that the tests run

A model is a module, a configuration and what must come of it: "passes", or the
invariant or assertion that its planted bug violates.  Compared are the result,
the number of distinct states, the depth (the length of the trace, when
something is violated), and for each action of a model that passes two figures:
how many states it was the first to generate, and how many it generated, that is
how often it was taken.  An action that was never taken is not tested by its
model, and fails it, whatever the manifest says.

TLC runs with one worker, so that every figure is the same each time.  A model
with "alone" (those of liveness) never shares a Java run-time.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

JAVA_NEEDED = "java is not here: apt-get install default-jre-headless"
JAVAC_NEEDED = "javac is not here: apt-get install default-jdk-headless"
TABLE_BEGIN = "<!-- made by `bazel run //tla:manifest`: begin -->"
TABLE_END = "<!-- end -->"
FLOOR_SMALL = {"depth": 5, "states": 20}  # a model below is no test


def die(why):
    sys.exit("check.py: " + why)


# ---- TLC ----


def classes_flags():
    """The archive that Bazel made; where it does not fit, Java ignores it."""
    path = os.environ.get("TLC_CLASSES", "")
    if not path or not os.path.exists(path) or os.path.getsize(path) == 0:
        return []
    return ["-XX:SharedArchiveFile=" + os.path.realpath(path), "-Xshare:auto"]


def write_classes(jar, out):
    """Of a run of TLC on a module of one state.  Without Java an empty file:
    it is the tests that fail then, and say what to install."""
    java = shutil.which("java")
    out = os.path.abspath(out)
    open(out, "w").close()
    if java is None or not jar.endswith(".jar"):
        return
    with tempfile.TemporaryDirectory() as work:
        with open(os.path.join(work, "Warm.tla"), "w") as f:
            f.write("---- MODULE Warm ----\n"
                    "EXTENDS Naturals, Sequences, FiniteSets, TLC\n"
                    "VARIABLE x\n"
                    "Init == x = [a |-> {1}, b |-> <<1>>]\n"
                    "Next == x' = [x EXCEPT !.a = {2} \\union @] "
                    "/\\ Len(x.b) = 1\n"
                    "Small == Cardinality(x.a) < 9\n====\n")
        with open(os.path.join(work, "Warm.cfg"), "w") as f:
            f.write("INIT Init\nNEXT Next\nINVARIANT Small\n")
        archive = os.path.join(work, "classes")
        model = {"expected": "passes", "config": "Warm.cfg", "module": "Warm"}
        command = tlc_command(os.path.realpath(jar), work, model, False)
        command.insert(1, "-XX:ArchiveClassesAtExit=" + archive)
        subprocess.run(command, cwd=work, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        if os.path.exists(archive):
            shutil.copyfile(archive, out)


def compile_many(jar, source, out):
    """Without the compiler an empty file, as above."""
    javac = shutil.which("javac")
    open(out, "w").close()
    if javac is None or not jar.endswith(".jar"):
        return
    with tempfile.TemporaryDirectory() as work:
        subprocess.run(
            [javac, "-Xlint:all", "-Werror", "-cp", jar, "-d", work, source],
            check=True)
        shutil.copyfile(os.path.join(work, "ManyModels.class"), out)


def java_command(work, class_path, large):
    java = shutil.which("java")
    if java is None:
        die(JAVA_NEEDED)
    # A short run is over before the second compiler has paid for itself.
    speed = [] if large else ["-XX:TieredStopAtLevel=1"]
    return [
        java,
        "-Xmx%s" % ("4g" if large else "1g"),
        "-Xss8m",
        "-XX:+UseSerialGC",
        "-XX:-UsePerfData",
        *speed,
        *classes_flags(),
        "-Duser.home=" + work,
        "-Djava.io.tmpdir=" + work,
        "-cp",
        class_path,
    ]


def tlc_arguments(work, model):
    return [
        "-workers",
        "1",
        "-fp",
        "0",
        *(["-coverage", "600"] if model["expected"] == "passes" else []),
        # Liveness when all states are there: else it is asked for by the clock.
        *(["-lncheck", "final"] if model.get("alone") else []),
        "-metadir",
        os.path.join(work, "states", model["config"]),
        "-cleanup",
        "-config",
        model["config"],
        model["module"],
    ]


def tlc_command(jar, work, model, large):
    return (java_command(work, jar, large) + ["tlc2.TLC"] +
            tlc_arguments(work, model))


def last_int(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1].replace(",", "")) if found else None


RESULTS = [
    (r"Error: Invariant (\w+) is violated", "invariant %s"),
    (r"Error: Action property line \d+, col \d+ to line \d+, col \d+ of "
     r"module (\w+) is violated", "refinement of %s"),
    (r"Error: Property (\w+) is violated by the initial", "refinement of %s"),
    (r"argument of Assert evaluated to FALSE; the second argument was:\s*"
     r"\"([^\"]*)\"", "assertion: %s"),
    (r"Error: (Temporal properties) were violated", "temporal property%.0s"),
    (r"Error: (Deadlock) reached", "deadlock%.0s"),
]


def result_of(text):
    if "Model checking completed. No error has been found." in text:
        return "passes"
    for pattern, name in RESULTS:
        found = re.search(pattern, text)
        if found:
            return name % found.group(1)
    return None


def actions_of(text):
    """Of the last report: action -> [states generated first, all of them]."""
    reports = text.split("The coverage statistics at")
    actions = {}
    line = re.compile(
        r"^<(\w+) line \d+, col \d+ to line \d+, col \d+ of module (\w+)"
        r"(?: \([\d ]+\))?>: ([\d,]+):([\d,]+)", re.M)
    for name, _, first, all_ in line.findall(reports[-1]):
        if name == "Init":
            continue
        first, all_ = int(first.replace(",", "")), int(all_.replace(",", ""))
        old = actions.get(name, [0, 0])
        actions[name] = [old[0] + first, old[1] + all_]
    return actions


def copy_models(folder, work, models):
    for name in os.listdir(folder):
        if name.endswith(".tla"):
            shutil.copy(os.path.join(folder, name), work)
    for model in models:
        shutil.copy(os.path.join(folder, "models", model["config"]), work)


def output_of(command, work):
    return subprocess.run(
        command,
        cwd=work,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True).stdout


def run_tlc(jar, folder, model):
    large = model["suite"] == "deep"
    begin = time.monotonic()
    base = os.environ.get("TEST_TMPDIR")
    with tempfile.TemporaryDirectory(dir=base) as work:
        copy_models(folder, work, [model])
        text = output_of(tlc_command(jar, work, model, large), work)
    return found_in(model, text, time.monotonic() - begin), text


def run_many(jar, many, folder, models):
    """The same of each, from one Java run-time.  Those that pass come first:
    a violation might leave something over in it."""
    models = sorted(models, key=lambda m: m["expected"] != "passes")
    base = os.environ.get("TEST_TMPDIR")
    with tempfile.TemporaryDirectory(dir=base) as work:
        copy_models(folder, work, models)
        class_path = jar + ":" + os.path.dirname(os.path.realpath(many))
        command = java_command(work, class_path, False) + ["ManyModels"]
        for i, model in enumerate(models):
            command += ["--"] if i else []
            command += [model["name"]] + tlc_arguments(work, model)
        text = output_of(command, work)
    for model in models:
        end = re.search(r"(?m)^@@ %s ([\d.]+)\n" % model["name"], text)
        if end is None:
            print(text)
            die("%s: TLC did not finish" % model["name"])
        own, text = text[:end.start()], text[end.end():]
        yield model, found_in(model, own, float(end.group(1))), own


def found_in(model, text, seconds):
    log = os.environ.get("TEST_UNDECLARED_OUTPUTS_DIR")
    if log:
        with open(os.path.join(log, model["name"] + ".log"), "w") as f:
            f.write(text)
    found = {"result": result_of(text), "seconds": seconds}
    if found["result"] is None:
        print(text)
        die("%s: TLC did not finish" % model["name"])
    found["states"] = last_int(r"([\d,]+) distinct states found", text)
    if found["result"] == "passes":
        found["depth"] = last_int(
            r"depth of the complete state graph search is (\d+)", text)
        found["actions"] = actions_of(text)
    else:
        found["depth"] = last_int(r"(?m)^State (\d+): ", text)
    return found


# ---- comparing ----


def say(model, found):
    print("%s: %d distinct states, depth %d, %s (%.1f s)" %
          (model["name"], found["states"], found["depth"], found["result"],
           found["seconds"]))
    sys.stdout.flush()


def idle_actions(found):
    return sorted(a for a, (_, taken) in found["actions"].items() if taken == 0)


def faults_of(model, found):
    faults = []
    if found["result"] != model["expected"]:
        faults.append("result: %s; expected: %s" %
                      (found["result"], model["expected"]))
        return faults
    for figure in ("states", "depth"):
        if found[figure] != model.get(figure):
            faults.append("%s: %s; the manifest has %s" %
                          (figure, found[figure], model.get(figure)))
    if model["expected"] != "passes":
        return faults
    for figure, floor in FLOOR_SMALL.items():
        if found[figure] < floor:
            faults.append("%s: %d is below the floor of %d" %
                          (figure, found[figure], floor))
    if not found["actions"]:
        faults.append("TLC reported no action")
    for action in idle_actions(found):
        faults.append("action %s was never taken" % action)
    now, old = found["actions"], model.get("actions", {})
    for action in sorted(set(now) | set(old)):
        if now.get(action) != old.get(action):
            faults.append("action %s: %s states; the manifest has %s" %
                          (action, now.get(action), old.get(action)))
    return faults


def read_manifest(path):
    with open(path) as f:
        manifest = json.load(f)
    return manifest


def check_jar(jar):
    if not jar.endswith(".jar"):
        with open(jar) as f:  # written by build_defs/maven_jar.bzl
            die("TLC is not here: " + f.read().strip())
    if shutil.which("java") is None:
        die(JAVA_NEEDED)


def may_share(model):
    return model["suite"] == "small" and not model.get("alone", False)


def results_of(jar, folder, models):
    many = os.environ.get("TLC_MANY", "")
    together = [m for m in models if many and may_share(m)]
    if together:
        if os.path.getsize(many) == 0:
            die(JAVAC_NEEDED)
        yield from run_many(jar, many, folder, together)
    for model in models:
        if model not in together:
            yield (model, *run_tlc(jar, folder, model))


def run(jar, manifest_path, suite, module):
    check_jar(jar)
    folder = os.path.dirname(os.path.abspath(manifest_path))
    bad = 0
    models = [
        m for m in read_manifest(manifest_path)["models"]
        if m["suite"] == suite and m["module"] == module
    ]
    if not models:
        die("no %s model of %s in the manifest" % (suite, module))
    for model, found, text in results_of(
            os.path.realpath(jar), folder, models):
        say(model, found)
        faults = faults_of(model, found)
        for fault in faults:
            print("    %s: %s" % (model["name"], fault))
        if faults and found["result"] != model["expected"]:
            print(text)
        bad += bool(faults)
    print("%d models, %d differ" % (len(models), bad))
    if bad:
        print("If the specification was changed on purpose: "
              "bazel run //tla:manifest")
        sys.exit(1)


# ---- writing ----


def as_json(manifest):
    """One model in a few lines, so that a change of figures reads well."""
    out = ["{", '  "models": [']
    for i, m in enumerate(manifest["models"]):
        parts = []
        for key in ("name", "module", "config", "suite", "what", "expected",
                    "alone", "states", "depth"):
            if key in m:
                parts.append('      "%s": %s' % (key, json.dumps(m[key])))
        if "actions" in m:
            inner = [
                '        "%s": %s' % (a, json.dumps(m["actions"][a]))
                for a in sorted(m["actions"])
            ]
            parts.append('      "actions": {\n%s\n      }' % ",\n".join(inner))
        comma = "," if i + 1 < len(manifest["models"]) else ""
        out.append("    {\n%s\n    }%s" % (",\n".join(parts), comma))
    out += ["  ]", "}"]
    return "\n".join(out) + "\n"


def save(manifest, manifest_path):
    with open(manifest_path, "w") as f:
        f.write(as_json(manifest))
    readme = os.path.join(os.path.dirname(manifest_path), "README.md")
    with open(readme) as f:
        text = f.read()
    with open(readme, "w") as f:
        f.write(with_table(text, table_of(manifest)))


def write(jar, manifest_path, names):
    check_jar(jar)
    root = os.environ.get("BUILD_WORKSPACE_DIRECTORY")
    if root:  # bazel run: the tree's own file, not the copy among the runfiles
        manifest_path = os.path.join(root, "tla", "manifest.json")
        jar = os.path.abspath(jar)
    manifest_path = os.path.abspath(manifest_path)
    folder = os.path.dirname(manifest_path)
    manifest = read_manifest(manifest_path)
    names = names or ["small"]
    models = [
        m for m in manifest["models"] if m["suite"] in names or
        m["name"] in names or m["module"] in names
    ]
    bad = 0
    for model in models:
        found, text = run_tlc(os.path.abspath(jar), folder, model)
        say(model, found)
        if found["result"] != model["expected"]:
            print(text)
            print("    expected: %s; not written" % model["expected"])
            bad += 1
            continue
        model["states"], model["depth"] = found["states"], found["depth"]
        if model["expected"] == "passes":
            model["actions"] = found["actions"]
            for action in idle_actions(found):
                print("    action %s was never taken" % action)
                bad += 1
        save(manifest, manifest_path)
    print("%d models written to %s" % (len(models) - bad, manifest_path))
    if bad:
        sys.exit(1)


# ---- the table in README.md ----


def table_of(manifest):
    rows = [
        "| model | suite | what | result | distinct states | depth |",
        "|---|---|---|---|---:|---:|",
    ]
    for m in manifest["models"]:
        result = m["expected"]
        if result != "passes":
            result = "fails: " + result
        rows.append("| %s | %s | %s | %s | %s | %s |" %
                    (m["name"], m["suite"], m["what"], result,
                     "{:,}".format(m.get("states", 0)), m.get("depth", 0)))
    return "\n".join(rows)


def with_table(text, table):
    if TABLE_BEGIN not in text or TABLE_END not in text:
        die("README.md has no place for the table")
    before, rest = text.split(TABLE_BEGIN, 1)
    after = rest.split(TABLE_END, 1)[1]
    return "%s%s\n%s\n%s%s" % (before, TABLE_BEGIN, table, TABLE_END, after)


def check_table(manifest_path, readme, modules):
    manifest = read_manifest(manifest_path)
    with open(readme) as f:
        text = f.read()
    if with_table(text, table_of(manifest)) != text:
        die("README.md's table is not the manifest's; bazel run //tla:manifest")
    folder = os.path.dirname(os.path.abspath(manifest_path))
    broken = {}
    for m in manifest["models"]:
        for path in (m["module"] + ".tla", os.path.join("models", m["config"])):
            if not os.path.exists(os.path.join(folder, path)):
                die("%s: no file %s" % (m["name"], path))
        broken.setdefault(m["module"], 0)
        broken[m["module"]] += m["expected"] != "passes"
    listed = {m["config"] for m in manifest["models"]}
    for config in os.listdir(os.path.join(folder, "models")):
        if config not in listed:
            die("models/%s is in no model of the manifest" % config)
    if sorted(broken) != sorted(modules):
        die("modules of the manifest: %s; of the tests: %s" %
            (sorted(broken), sorted(modules)))
    for module, count in sorted(broken.items()):
        if count < 2:
            die("%s has %d broken models, and should have 2" % (module, count))
    print("%d models of %d modules, %d of them broken on purpose" %
          (len(manifest["models"]), len(broken), sum(broken.values())))


def main(arguments):
    command, rest = (arguments + [""])[0], arguments[1:]
    if command == "run" and len(rest) == 4:
        run(*rest)
    elif command == "write" and len(rest) >= 2:
        write(rest[0], rest[1], rest[2:])
    elif command == "many" and len(rest) == 3:
        compile_many(*rest)
    elif command == "classes" and len(rest) == 2:
        write_classes(*rest)
    elif command == "table" and len(rest) >= 2:
        check_table(rest[0], rest[1], rest[2:])
    else:
        die("bad arguments\n\n" + __doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
