# Facts of one machine. Reads only: it writes no file, loads no module, starts nothing, and needs neither python nor docker.
#
# Sent on standard input:   sh -s -- DOCKER_ROOT DOCKER_SOCKET PREFIX_PATH
# POSIX sh; meant for CentOS/RHEL 7-9, Debian and Ubuntu. Runs as the plain SSH user; what only root may read is read
# through `sudo -n` where that works, or with the password in SUDO_PASSWORD, which a line before this text may set; it is
# reported as `unreadable` (or left out) where neither does.
#
# Answer: one fact a line, columns separated by one TAB, the first column is the key. A key may repeat. The order is free
# except that `facts` is the first line and `end` the last; an answer without `end` was cut and counts for nothing.
#   facts       1                                   version of this protocol
#   time        NANOSECONDS                         clock of the machine, first thing read (`time-end`: last thing)
#   user        NAME  UID  GROUP,GROUP…
#   root        direct | sudo | no                  how root-only facts were read
#   hostname    NAME        fqdn  NAME              as the machine calls itself
#   os          ID  VERSION_ID  PRETTY_NAME         from os-release
#   kernel      RELEASE  ARCHITECTURE               uname -r, uname -m
#   machine-id  HEX         product-uuid  UUID      product-uuid only when readable
#   uptime      SECONDS     cpus  N     memory  TOTAL_KIB  AVAILABLE_KIB
#   ntp         synchronized | running | absent     clock in step / a time daemon runs / neither
#   swap        DEVICE  KIB                         one per active device
#   cgroup      1 | 2
#   module      NAME  loaded | builtin | available | absent | unknown
#   sysctl      KEY  VALUE                          left out when the kernel has no such key
#   nofile      SOFT  HARD
#   address     INTERFACE  ADDRESS/PREFIX
#   link        INTERFACE  MTU  MAC  STATE
#   route       TEXT                                one line of `ip -4 route`
#   listen      tcp | udp  HEX_ADDRESS:HEX_PORT     as in /proc/net
#   disk        PATH  TOTAL_KIB  FREE_KIB  INODES  INODES_FREE  MOUNTPOINT
#   resolv      LINE                                nameserver, search and options lines of /etc/resolv.conf
#   resolved    PATH                                the resolver file of systemd-resolved, when it exists
#   selinux     enforcing | permissive | disabled
#   selinux-module  NAME                            a rancher policy module that is installed (root only)
#   firewall    firewalld | ufw                     active ones
#   docker      binary | socket  PATH               what exists; `denied  PATH` when the user may not write the socket
#   leftover    DIRECTORY  content | unreadable  FIRST_ENTRY
#   mounts      DIRECTORY  COUNT                    mount points below it
#   ca          PATH  SHA256_OF_DER | unreadable
#   process     NAME  COUNT                         running Kubernetes components, of any distribution
#   distribution  NAME  PATH                        files of other Kubernetes distributions
#   gpu         nvidia  COUNT  DRIVER_VERSION
#   end

DOCKER_ROOT=${1:-/var/lib/docker}
DOCKER_SOCKET=${2:-/var/run/docker.sock}
PREFIX=${3:-/}
PREFIX=${PREFIX%/}
PATH="$PATH:/usr/sbin:/sbin:/usr/local/sbin:/usr/local/bin"
LC_ALL=C
export PATH LC_ALL

MODULES="br_netfilter overlay nf_conntrack ip_tables ip_set xt_set ip_vs ip_vs_rr vxlan ipip"
SYSCTLS="net.ipv4.ip_forward net.bridge.bridge-nf-call-iptables net.bridge.bridge-nf-call-ip6tables
net.ipv4.conf.all.rp_filter net.ipv4.conf.default.rp_filter net.netfilter.nf_conntrack_max fs.file-max
fs.inotify.max_user_instances fs.inotify.max_user_watches net.ipv4.ip_local_port_range kernel.pid_max"
COMPONENTS="kubelet kube-proxy kube-apiserver kube-controller kube-controller-manager kube-scheduler etcd hyperkube
k3s k3s-server k3s-agent rke2 k0s kubelite cri-dockerd calico-node flanneld"

# fact KEY VALUE…: one line; control characters inside a value become blanks.
fact() {
    key=$1
    shift
    printf '%s' "$key"
    for value in "$@"; do
        printf '\t%s' "$(printf '%s' "$value" | tr '\000-\037' ' ')"
    done
    printf '\n'
}

limited() {
    if command -v timeout >/dev/null 2>&1; then timeout 8 "$@"; else "$@"; fi
}

choose_root() {
    if [ "$(id -u)" = 0 ]; then
        ROOT=direct
    elif limited sudo -n sh -c : >/dev/null 2>&1; then
        ROOT=sudo SUDO_PASSWORD=
    elif [ -n "${SUDO_PASSWORD:-}" ] && with_password sh -c : >/dev/null 2>&1; then
        ROOT=sudo
    else
        ROOT=no
    fi
}

# printf is part of the shell: the password is in no list of processes.
with_password() {
    printf '%s\n' "$SUDO_PASSWORD" | limited sudo -S -p '' "$@"
}

as_root() {
    if [ "$ROOT" != sudo ]; then limited "$@"
    elif [ -n "${SUDO_PASSWORD:-}" ]; then with_password "$@"
    else limited sudo -n "$@"
    fi
}

os_release() {
    sed -n "s/^$1=//p" /etc/os-release 2>/dev/null | head -n 1 | tr -d "\"'"
}

identity() {
    fact user "$(id -un)" "$(id -u)" "$(id -Gn | tr ' ' ',')"
    fact root "$ROOT"
    fact hostname "$(uname -n)"
    fact fqdn "$(limited hostname -f 2>/dev/null)"
    fact os "$(os_release ID)" "$(os_release VERSION_ID)" "$(os_release PRETTY_NAME)"
    fact kernel "$(uname -r)" "$(uname -m)"
    fact machine-id "$(cat /etc/machine-id 2>/dev/null)"
    fact uptime "$(cut -d. -f1 /proc/uptime)"
    fact cpus "$(getconf _NPROCESSORS_ONLN 2>/dev/null || grep -c '^processor' /proc/cpuinfo)"
    awk '/^MemTotal:/ {t=$2} /^MemAvailable:/ {a=$2} END {printf "memory\t%d\t%d\n", t, a}' /proc/meminfo
    # shellcheck disable=SC3045  # every sh of these systems knows -S and -H
    fact nofile "$(ulimit -Sn)" "$(ulimit -Hn)"
}

clock() {
    if limited timedatectl status 2>/dev/null | grep -qiE '(ntp|system clock) synchronized: yes'; then
        fact ntp synchronized
    elif cat /proc/[0-9]*/comm 2>/dev/null | grep -qE '^(chronyd|ntpd|systemd-timesyn.*|openntpd)$'; then
        fact ntp running
    else
        fact ntp absent
    fi
}

# What shows that a module is built into the kernel: without parameters it is not listed in /sys/module.
trace_of() {
    case $1 in
        br_netfilter) echo /proc/sys/net/bridge ;;
        ip_tables) echo /proc/net/ip_tables_names ;;
        ip_vs) echo /proc/net/ip_vs ;;
        *) echo "/sys/module/$1" ;;
    esac
}

module_state() {
    if grep -q "^$1 " /proc/modules; then echo loaded
    elif [ -d "/sys/module/$1" ] || [ -e "$(trace_of "$1")" ]; then echo builtin
    elif [ ! -d "/lib/modules/$(uname -r)" ] || ! command -v modprobe >/dev/null 2>&1; then echo unknown
    elif modprobe -n -q "$1" 2>/dev/null; then echo available
    else echo absent
    fi
}

kernel() {
    awk 'NR > 1 {printf "swap\t%s\t%s\n", $1, $3}' /proc/swaps
    if [ -f /sys/fs/cgroup/cgroup.controllers ]; then fact cgroup 2; else fact cgroup 1; fi
    for module in $MODULES; do
        fact module "$module" "$(module_state "$module")"
    done
    for name in $SYSCTLS; do
        file=/proc/sys/$(printf '%s' "$name" | tr . /)
        [ -r "$file" ] && fact sysctl "$name" "$(cat "$file" 2>/dev/null)"
    done
    mode=disabled
    if command -v getenforce >/dev/null 2>&1; then
        mode=$(getenforce 2>/dev/null | tr '[:upper:]' '[:lower:]')
    elif [ -r /sys/fs/selinux/enforce ]; then
        if [ "$(cat /sys/fs/selinux/enforce)" = 1 ]; then mode=enforcing; else mode=permissive; fi
    fi
    fact selinux "$mode"
}

# The addresses as the kernel's own tables have them, for a machine without iproute2. An IPv4 address is on the interface
# whose network holds it; those that no route leads to stand under the name "?".
addresses_of_proc() {
    awk '
        function hex(text, value, at) {
            value = 0
            for (at = 1; at <= length(text); at++)
                value = value * 16 + index("0123456789abcdef", tolower(substr(text, at, 1))) - 1
            return value
        }
        FILENAME == "/proc/net/if_inet6" {
            text = substr($1, 1, 4)
            for (at = 5; at < 30; at += 4) text = text ":" substr($1, at, 4)
            printf "address\t%s\t%s/%d\n", $6, text, hex($3)
            next
        }
        FILENAME == "/proc/net/route" {
            if (FNR == 1 || $3 != "00000000" || $8 == "00000000") next
            interface[++networks] = $1
            for (at = 0; at < 4; at++) {
                network[networks, at] = hex(substr($2, 7 - 2 * at, 2))
                mask[networks, at] = hex(substr($8, 7 - 2 * at, 2))
            }
            next
        }
        $1 == "|--" { address = $2; next }
        $1 == "/32" && $2 == "host" && $3 == "LOCAL" && !told[address]++ {
            split(address, octet, ".")
            name = "?"; prefix = 32; longest = 0
            if (octet[1] == 127) { name = "lo"; prefix = 8 }
            for (n = 1; n <= networks; n++) {
                bits = 0; inside = 1
                for (at = 0; at < 4; at++) {
                    size = 256 - mask[n, at]
                    if (octet[at + 1] - octet[at + 1] % size != network[n, at]) inside = 0
                    for (; size < 256; size *= 2) bits++
                }
                if (inside && longest < bits) { name = interface[n]; prefix = longest = bits }
            }
            printf "address\t%s\t%s/%d\n", name, address, prefix
        }
    ' /proc/net/if_inet6 /proc/net/route /proc/net/fib_trie 2>/dev/null
}

network() {
    found=$(ip -o addr show 2>/dev/null | awk '$3 == "inet" || $3 == "inet6" {printf "address\t%s\t%s\n", $2, $4}')
    if [ -n "$found" ]; then printf '%s\n' "$found"; else addresses_of_proc; fi
    if command -v ip >/dev/null 2>&1; then
        ip -4 route show 2>/dev/null | head -n 300 | while read -r route; do fact route "$route"; done
    fi
    for link in /sys/class/net/*; do
        [ -r "$link/mtu" ] || continue
        fact link "${link##*/}" "$(cat "$link/mtu")" "$(cat "$link/address")" "$(cat "$link/operstate")"
    done
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4 == "0A" {printf "listen\ttcp\t%s\n", $2}'
    cat /proc/net/udp /proc/net/udp6 2>/dev/null | awk '$4 == "07" {printf "listen\tudp\t%s\n", $2}'
    grep -E '^[[:space:]]*(nameserver|search|domain|options)[[:space:]]' /etc/resolv.conf 2>/dev/null |
        while read -r line; do fact resolv "$line"; done
    [ -r /run/systemd/resolve/resolv.conf ] && fact resolved /run/systemd/resolve/resolv.conf
    cat /proc/[0-9]*/comm 2>/dev/null | grep -qx firewalld && fact firewall firewalld
    grep -qi '^ENABLED=yes' /etc/ufw/ufw.conf 2>/dev/null && fact firewall ufw
}

# disk PATH: the file system that holds PATH, or will hold it once it is made.
disk() {
    place=$1
    while [ ! -e "$place" ] && [ "$place" != / ]; do place=$(dirname "$place"); done
    space=$(limited df -Pk "$place" 2>/dev/null | awk 'NR == 2 {print $2, $4, $6}')
    inodes=$(limited df -Pi "$place" 2>/dev/null | awk 'NR == 2 {print $2, $4}')
    [ -n "$space" ] || return 0
    # shellcheck disable=SC2086  # the numbers are separate columns
    set -- "$1" $space $inodes
    fact disk "$1" "$2" "$3" "${5:--}" "${6:--}" "$4"
}

disks() {
    for path in / "$DOCKER_ROOT" "$PREFIX/var/lib/kubelet" /opt/rke; do
        disk "$path"
    done
}

docker_here() {
    command -v dockerd >/dev/null 2>&1 && fact docker binary "$(command -v dockerd)"
    if [ -S "$DOCKER_SOCKET" ]; then
        fact docker socket "$DOCKER_SOCKET"
        [ -w "$DOCKER_SOCKET" ] || fact docker denied "$DOCKER_SOCKET"
    fi
}

# Read as root in one go: what an earlier cluster left, its CA, the hardware's id, SELinux policy modules.
# shellcheck disable=SC2016  # expands in the shell that runs it
ROOT_PART='
fact() {
    key=$1; shift; printf "%s" "$key"
    for value in "$@"; do printf "\t%s" "$(printf "%s" "$value" | tr "\000-\037" " ")"; done
    printf "\n"
}
prefix=$1
[ -r /sys/class/dmi/id/product_uuid ] && fact product-uuid "$(cat /sys/class/dmi/id/product_uuid 2>/dev/null)"
command -v semodule >/dev/null 2>&1 && semodule -l 2>/dev/null | awk "/^(rancher|rke2|container_rke)/ {print \$1}" |
    while read -r name; do fact selinux-module "$name"; done
for dir in /etc/kubernetes /etc/cni /opt/cni /var/lib/cni /var/lib/kubelet /var/lib/etcd /var/lib/calico /run/calico \
    /run/flannel /var/lib/rancher /var/lib/cri-dockerd /opt/rke; do
    for place in "$dir" ${prefix:+"$prefix$dir"}; do
        [ -d "$place" ] || continue
        if [ ! -r "$place" ] || [ ! -x "$place" ]; then fact leftover "$place" unreadable; continue; fi
        entry=$(find "$place" -xdev -mindepth 1 ! -type d 2>/dev/null | head -n 1)
        [ -n "$entry" ] && fact leftover "$place" content "$entry"
    done
done
for ca in /etc/kubernetes/ssl/kube-ca.pem ${prefix:+"$prefix/etc/kubernetes/ssl/kube-ca.pem"}; do
    [ -e "$ca" ] || continue
    if [ ! -r "$ca" ]; then fact ca "$ca" unreadable; continue; fi
    sum=$(sed -n "/BEGIN CERTIFICATE/,/END CERTIFICATE/p" "$ca" | sed -n "1d;/END CERTIFICATE/q;p" | base64 -d 2>/dev/null |
        sha256sum | cut -d" " -f1)
    fact ca "$ca" "$sum"
done
'

leftovers() {
    as_root sh -c "$ROOT_PART" facts "$PREFIX"
    kubelet=$PREFIX/var/lib/kubelet
    fact mounts "$kubelet" "$(awk -v dir="$kubelet/" 'index($2, dir) == 1 {n++} END {print n + 0}' /proc/mounts)"
    running=$(cat /proc/[0-9]*/comm 2>/dev/null)
    for name in $COMPONENTS; do
        count=$(printf '%s\n' "$running" | grep -cx -- "$name")
        [ "$count" = 0 ] || fact process "$name" "$count"
    done
    for item in k3s:/var/lib/rancher/k3s k3s:/etc/rancher/k3s rke2:/var/lib/rancher/rke2 rke2:/etc/rancher/rke2 \
        k0s:/var/lib/k0s microk8s:/var/snap/microk8s kubeadm:/etc/kubernetes/admin.conf \
        kubeadm:/etc/kubernetes/kubelet.conf kubeadm:/var/lib/kubelet/kubeadm-flags.env; do
        [ -e "${item#*:}" ] && fact distribution "${item%%:*}" "${item#*:}"
    done
}

gpus() {
    count=0
    for device in /sys/bus/pci/devices/*; do
        [ "$(cat "$device/vendor" 2>/dev/null)" = 0x10de ] || continue
        case $(cat "$device/class" 2>/dev/null) in 0x03*) count=$((count + 1)) ;; esac
    done
    [ "$count" = 0 ] || fact gpu nvidia "$count" "$(cat /sys/module/nvidia/version 2>/dev/null)"
}

main() {
    fact facts 1
    fact time "$(date +%s%N)"
    choose_root
    identity
    clock
    kernel
    network
    disks
    docker_here
    leftovers
    gpus
    fact time-end "$(date +%s%N)"
    fact end
}

# One call, so that nothing runs before the whole script has arrived, and no command swallows the rest of it.
main </dev/null 2>/dev/null
