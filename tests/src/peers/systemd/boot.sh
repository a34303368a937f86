# Boots systemd in new namespaces. $0 is unshare, $1 a directory that stays as it is.
"$0" --mount --pid --fork --kill-child -- sh -eu -c '
    for group in $groups; do echo $$ > "$group/cgroup.procs"; done
    exec unshare --cgroup --mount-proc -- sh -euc "
        mount --make-rprivate /
        for group in \$groups; do
            mount --bind \"\$group\" \"\${group%/\$name}\"
        done
        mount -t tmpfs tmpfs /run
        for directory in etc usr var; do
            mkdir -p /run/overlay/\$directory/upper /run/overlay/\$directory/work
            mount -t overlay overlay /\$directory \
                -o lowerdir=/\$directory,upperdir=/run/overlay/\$directory/upper,workdir=/run/overlay/\$directory/work
        done
        for directory in /tmp /var/tmp /var/log; do mount -t tmpfs tmpfs \$directory; done
        mkdir -p /run/systemd/system
        # As on a booted machine: systemd mounts the credentials of a unit from a namespace of their own.
        mount --make-rshared /
        # The machine behind these namespaces has booted already: no kernel parameters, modules, mounts and temporary files.
        rm -rf /etc/systemd/system /usr/lib/systemd/system/*.wants
        mkdir -p /etc/systemd/system
        for target in sysinit basic network-online; do
            printf \"[Unit]\nDefaultDependencies=no\n\" > /etc/systemd/system/\$target.target
        done
        printf \"[Unit]\nRequires=systemd-journald.service\nAfter=systemd-journald.service\n\" > /etc/systemd/system/boot.target
        exec /lib/systemd/systemd --system --unit=boot.target --show-status=no --log-target=journal
    "
'
