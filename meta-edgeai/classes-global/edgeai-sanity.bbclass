# What a build lacks, said before anything is parsed.

addhandler edgeai_sanity
edgeai_sanity[eventmask] = "bb.event.ConfigParsed"
python edgeai_sanity() {
    wrong = []
    # kas/feature/mirror.yml: an empty address would be left out without a word.
    mirror = (d.getVar('SOURCE_MIRROR_URL') or '').strip()
    if bb.data.inherits_class('own-mirrors', d) and '://' not in mirror:
        wrong.append("SOURCE_MIRROR_URL is '%s': the mirror feature takes the mirror's URL from the environment, "
                     "EDGEAI_MIRROR=https://… or file:///…" % mirror)
    elif mirror.startswith('file://') and not os.path.isdir(mirror[len('file://'):]):
        wrong.append("%s: there is no such folder (EDGEAI_MIRROR)" % mirror)
    for name in ('EDGEAI_TEST',):
        try:
            bb.utils.to_boolean(d.getVar(name))
        except ValueError:
            wrong.append("%s is '%s': 0 or 1" % (name, d.getVar(name)))
    if wrong:
        bb.fatal('edgeai: ' + '; '.join(wrong))
}
