#!/bin/sh
# Builds the Kubernetes components of the lab from Debian's source package with Debian's Go 1.19: one executable, and
# kubectl as a link to it.
# Usage: build-kubernetes.sh VERSION WORK_DIRECTORY OUTPUT_DIRECTORY
# Source and compiler cache stay in WORK_DIRECTORY, so that an interrupted build goes on where it stopped.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
version=$1 work=$2 output=$3
mkdir -p "$work/apt/lists/partial" "$work/apt/archives/partial" "$work/bin" "$output"

# A source list of our own, on the mirror that this machine already uses: its apt settings stay untouched.
find_mirror() {
    apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(LABEL)' 'Created-By: Packages' |
        awk '$2 == "bookworm" && $3 == "Debian" {print $1; exit}'
}
mirror=$(find_mirror)
[ -n "$mirror" ] || { apt-get -q update && mirror=$(find_mirror); }
[ -n "$mirror" ] || { echo "no Debian bookworm mirror among this machine's package sources" >&2; exit 1; }
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb-src [signed-by=$keyring] $mirror bookworm main" > "$work/apt/sources.list"
source_apt() {
    apt-get -q -o "Dir::Etc::sourcelist=$work/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o "Dir::State::lists=$work/apt/lists" -o "Dir::Cache=$work/apt" -o APT::Sandbox::User=root "$@"
}

export GOROOT=/usr/lib/go-1.19 GOPATH="$work/gopath" GOCACHE="$work/gocache"
export GO111MODULE=off GOFLAGS='' CGO_ENABLED=0 PATH="/usr/lib/go-1.19/bin:$PATH"
tree=$GOPATH/src/k8s.io/kubernetes
if [ ! -e "$tree/.unpacked" ]; then
    rm -rf "$tree"
    mkdir -p "$GOPATH/src/k8s.io"
    source_apt update
    (cd "$work" && source_apt source --download-only kubernetes)
    dpkg-source --no-check -x "$work"/kubernetes_*.dsc "$tree"
    touch "$tree/.unpacked"
fi
cd "$tree"

# Debian's source lacks this generated file, and without it the API server does not compile.
if [ ! -e pkg/generated/openapi/zz_generated.openapi.go ]; then
    go build -o "$work/bin/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
    packages=$(grep -rlE --include='*.go' '^// \+k8s:openapi-gen=' pkg/apis staging/src/k8s.io |
        grep -v -e /sample- -e _examples -e /testdata/ | xargs -n1 dirname | sort -u |
        sed -e 's#^staging/src/#k8s.io/kubernetes/vendor/#' -e 's#^pkg/#k8s.io/kubernetes/pkg/#' | paste -sd,)
    "$work/bin/openapi-gen" -i "$packages" -p k8s.io/kubernetes/pkg/generated/openapi \
        -O zz_generated.openapi -h hack/boilerplate/boilerplate.generatego.txt \
        -r "$work/openapi-violations" --output-base "$GOPATH/src"
fi

mkdir -p cmd/lab-hyperkube
cp "$here/hyperkube/main.go" cmd/lab-hyperkube/main.go
stamp=k8s.io/kubernetes/vendor/k8s.io/component-base/version
minor=${version#v1.}
flags="-s -w -X $stamp.gitVersion=$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=${minor%%.*}"
go build -trimpath -ldflags "$flags -X $stamp.gitTreeState=clean" -o "$work/bin/hyperkube" ./cmd/lab-hyperkube
mv "$work/bin/hyperkube" "$output/hyperkube"
ln -sf hyperkube "$output/kubectl"
