#!/usr/bin/env bash
# Builds the Kubernetes servers that no Debian package has, once, into a cache outside the repository.
#
#   test/support/build-kubernetes.sh            what is possible here (minutes to tens of minutes)
#   test/support/build-kubernetes.sh current    a current version, where Go and its module proxy are present
#   test/support/build-kubernetes.sh debian     1.20 from Debian's source package, for root on Debian
#
# The cache holds one folder per version: bin/kube-apiserver and bin/kubelet, put there whole or not at all.
set -euo pipefail

cache="${XDG_CACHE_HOME:-$HOME/.cache}/postern-test"
current=1.33.13
packaged=1.20.2
work="$cache/kubernetes-build"

# Two servers never build into one cache at the same time.
mkdir -p "$cache"
exec 9>"$cache/kubernetes.lock"
flock 9

have() { [ -x "$cache/kubernetes-$1/bin/kube-apiserver" ] && [ -x "$cache/kubernetes-$1/bin/kubelet" ]; }

keep() { # VERSION FOLDER-WITH-PROGRAMS
  mkdir -p "$cache/kubernetes-$1.new/bin"
  cp "$2/kube-apiserver" "$2/kubelet" "$cache/kubernetes-$1.new/bin/"
  rm -rf "${cache:?}/kubernetes-$1"
  mv "$cache/kubernetes-$1.new" "$cache/kubernetes-$1"
  echo "built: $cache/kubernetes-$1"
}

find_go() {
  command -v go 2>/dev/null || { [ -x /usr/local/go/bin/go ] && echo /usr/local/go/bin/go; }
}

# `go install` refuses a module with replace directives, and its staging folders are not in the module: a module of
# our own requires it, and puts the published module of the same version in the place of each folder.
build_current() {
  have "$current" && return 0
  local go build
  go=$(find_go) || { echo "no Go here: the current Kubernetes is not built" >&2; return 1; }
  build="$work/current"
  mkdir -p "$build/out"
  cd "$build"
  local theirs
  theirs=$("$go" mod download -json "k8s.io/kubernetes@v$current" | sed -n 's/^\t"GoMod": "\(.*\)",$/\1/p')
  {
    printf 'module postern.test/kubernetes\n\ngo %s\n\n' "$(sed -n 's/^go \([0-9.]*\)$/\1/p' "$theirs")"
    printf 'require k8s.io/kubernetes v%s\n\n' "$current"
    sed -n 's/^\t\{0,1\}\(k8s\.io\/[a-z0-9-]*\) v0\.0\.0$/\1/p' "$theirs" | while read -r module; do
      printf 'replace %s => %s v0.%s\n' "$module" "$module" "${current#1.}"
    done
  } >go.mod
  printf 'package main\n\nimport (\n\t_ "k8s.io/kubernetes/cmd/kube-apiserver/app"\n\t_ "k8s.io/kubernetes/cmd/kubelet/app"\n)\n\nfunc main() {}\n' >main.go
  "$go" mod tidy -e >/dev/null 2>&1 || true
  local stamp="-s -w"
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    stamp="$stamp -X $package.gitVersion=v$current -X $package.gitMajor=1 -X $package.gitMinor=$(echo "$current" | cut -d. -f2)"
  done
  for program in kube-apiserver kubelet; do
    CGO_ENABLED=0 nice -n 15 "$go" build -mod=mod -p 2 -trimpath -ldflags "$stamp" -o "out/$program" "k8s.io/kubernetes/cmd/$program"
  done
  keep "$current" "$build/out"
  rm -rf "$build"
}

# Debian has only the client as a package, but the whole source with all it needs.
build_packaged() {
  have "$packaged" && return 0
  for program in apt-get make rsync jq; do
    command -v "$program" >/dev/null || { echo "no $program here: Kubernetes $packaged is not built" >&2; return 1; }
  done
  local build="$work/packaged"
  mkdir -p "$build/debs" "$build/goroot" "$build/home" "$build/gopath/src/k8s.io"
  cd "$build"
  # A list of sources of its own: the machine's need not name source packages.
  printf 'deb-src http://deb.debian.org/debian bookworm main\ndeb http://deb.debian.org/debian bookworm main\n' >sources.list
  local apt=(apt-get -qq -o Dir::Etc::SourceList="$build/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o Dir::State::Lists="$build/lists" -o APT::Sandbox::User=root)
  mkdir -p "$build/lists/partial"
  "${apt[@]}" update
  (cd debs && "${apt[@]}" download golang-1.19-go golang-1.19-src)
  for deb in debs/*.deb; do dpkg-deb -x "$deb" goroot; done
  ln -sfn "$build/goroot/usr/share/go-1.19/src" "$build/goroot/usr/lib/go-1.19/src"
  for folder in pkg api misc test; do
    if [ -L "goroot/usr/lib/go-1.19/$folder" ] && [ -d "goroot/usr/share/go-1.19/$folder" ]; then
      ln -sfn "$build/goroot/usr/share/go-1.19/$folder" "goroot/usr/lib/go-1.19/$folder"
    fi
  done
  "${apt[@]}" source --download-only kubernetes
  # Its makefile generates code first, and looks for itself below GOPATH.
  local source="$build/gopath/src/k8s.io/kubernetes"
  rm -rf "$source" && mkdir -p "$source"
  tar -xf kubernetes_*.orig.tar.* -C "$source" --strip-components=1
  cat >version <<EOT
KUBE_GIT_COMMIT='0000000000000000000000000000000000000000'
KUBE_GIT_TREE_STATE='clean'
KUBE_GIT_VERSION='v$packaged'
KUBE_GIT_MAJOR='1'
KUBE_GIT_MINOR='20'
EOT
  (
    export GOROOT="$build/goroot/usr/lib/go-1.19" GOPATH="$build/gopath" GOCACHE="$build/gocache" HOME="$build/home"
    export PATH="$GOROOT/bin:$PATH" GOPROXY=off CGO_ENABLED=0 GOMAXPROCS=2 KUBE_GIT_VERSION_FILE="$build/version"
    unset GOFLAGS GO111MODULE
    cd "$source"
    nice -n 15 make WHAT='cmd/kube-apiserver cmd/kubelet' GOFLAGS=-p=2
  )
  mkdir -p out
  cp "$source"/_output/local/bin/linux/*/{kube-apiserver,kubelet} out/
  keep "$packaged" "$build/out"
  rm -rf "$build"
}

case "${1:-all}" in
  current) build_current ;;
  debian) build_packaged ;;
  all)
    (set -e; build_current) || echo "Kubernetes $current could not be built here" >&2
    have "$current" || (set -e; build_packaged) || echo "Kubernetes $packaged could not be built here" >&2
    have "$current" || have "$packaged"
    ;;
  *) echo "usage: $0 [all|current|debian]" >&2; exit 2 ;;
esac
