# Makes a cgroup in each hierarchy. A boot script moves systemd into them: they are the root of its cgroup namespace.
set -eu
name=cyanotype-test-$$
groups=
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [ -e "$hierarchy/cgroup.procs" ] || continue
    mkdir "$hierarchy/$name"
    groups="$groups $hierarchy/$name"
    case $hierarchy in */cpuset)
        cat "$hierarchy/cpuset.cpus" > "$hierarchy/$name/cpuset.cpus"
        cat "$hierarchy/cpuset.mems" > "$hierarchy/$name/cpuset.mems" ;;
    esac
done
# Removes them when this shell, which waits for systemd, ends; the watcher survives a killed shell.
remove() {
    for group in $groups; do
        find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null || :
    done
}
trap remove EXIT
export groups name
