"""A binary built once more, with flags of its own whatever the command line says."""

def _rebuilt_impl(settings, attr):
    # Target copts come after these, so a macro given here can still be set there.
    return {
        "//command_line_option:compilation_mode": "opt",
        "//command_line_option:copt": settings["//command_line_option:copt"] + attr.copts,
    }

_rebuilding = transition(
    implementation = _rebuilt_impl,
    inputs = ["//command_line_option:copt"],
    outputs = [
        "//command_line_option:compilation_mode",
        "//command_line_option:copt",
    ],
)

def _rebuilt_binary_impl(ctx):
    out = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.symlink(
        output = out,
        target_file = ctx.executable.binary,
        is_executable = True,
    )
    return [DefaultInfo(
        executable = out,
        files = depset([out]),
        runfiles = ctx.runfiles(files = [out]),
    )]

rebuilt_binary = rule(
    implementation = _rebuilt_binary_impl,
    attrs = {
        "binary": attr.label(
            cfg = "target",
            executable = True,
            mandatory = True,
        ),
        "copts": attr.string_list(mandatory = True),
        "_allowlist_function_transition": attr.label(
            default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
        ),
    },
    cfg = _rebuilding,
    doc = "The binary `binary`, and all it depends on, in opt mode and with `copts`.",
    executable = True,
)
