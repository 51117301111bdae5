"""archives: the static archives of cc_libraries and of all they depend on."""

_ArchivesInfo = provider("The archives below a target.", fields = ["files"])

def _below_impl(target, ctx):
    own = [f for f in target[DefaultInfo].files.to_list() if f.extension == "a"]
    deps = getattr(ctx.rule.attr, "deps", [])
    return [_ArchivesInfo(files = depset(own, transitive = [d[_ArchivesInfo].files for d in deps if _ArchivesInfo in d]))]

_below = aspect(
    implementation = _below_impl,
    attr_aspects = ["deps"],
)

def _archives_impl(ctx):
    files = depset(transitive = [d[_ArchivesInfo].files for d in ctx.attr.deps])
    return [DefaultInfo(
        files = files,
        runfiles = ctx.runfiles(transitive_files = files),
    )]

archives = rule(
    implementation = _archives_impl,
    attrs = {"deps": attr.label_list(aspects = [_below])},
)
