# Boots systemd in the root directory $1, in namespaces of its own. $0 is unshare.
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
