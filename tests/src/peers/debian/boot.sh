# Boots systemd in the root directory $1, in namespaces of its own, with the cgroups of this shell as their root. $0 is unshare.
set -eu
name=cyanotype-debian-$$
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
remove() {
    for group in $groups; do
        find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null || :
    done
}
trap remove EXIT
export groups name
root=$1
export root
"$0" --mount --net --pid --fork --kill-child -- sh -eu -c '
    for group in $groups; do echo $$ > "$group/cgroup.procs"; done
    exec unshare --cgroup -- sh -euc "
        mount --make-rprivate /
        for group in \$groups; do
            mount --bind \"\$group\" \"\${group%/\$name}\"
        done
        mount --bind \"\$root\" \"\$root\"
        mount -t proc proc \"\$root/proc\"
        mount --rbind /sys \"\$root/sys\"
        for directory in run tmp dev; do mount -t tmpfs tmpfs \"\$root/\$directory\"; done
        for device in null zero full random urandom tty; do
            touch \"\$root/dev/\$device\"
            mount --bind \"/dev/\$device\" \"\$root/dev/\$device\"
        done
        mkdir \"\$root/dev/pts\"
        mount -t devpts devpts \"\$root/dev/pts\"
        ln -s pts/ptmx \"\$root/dev/ptmx\"
        # Not chroot: systemd makes the sandboxes of units from the root of its mount namespace.
        cd \"\$root\"
        pivot_root . mnt
        umount -l /mnt
        # As on a booted machine: systemd mounts the credentials of a unit from a namespace of their own.
        mount --make-rshared /
        exec /lib/systemd/systemd --system --unit=multi-user.target --show-status=no --log-target=console
    "
'
