#!/usr/bin/env bash
# fetch.sh: Debian's kernels of the matrix, into .cache/kernels/VERSION/{vmlinuz,config,release,modules}. Quick when all are there.
#
# They come by apt from the archive that this machine uses, signed as any package, by lists of their own: nothing is installed,
# and neither the sources nor the lists of this machine are touched. The cloud flavour is the same source with fewer drivers:
# a third of the download.
. "$(dirname "$0")/../env.sh"

# Each kernel of the matrix, its suites, and the package that depends on its newest build.
matrix="5.10:bullseye,bullseye-security 6.1:bookworm 6.12:trixie"
package=linux-image-cloud-amd64
modules="tls gcm ghash-generic gf128mul ctr aead geniv seqiv crypto_null"
kernels=$CACHE/kernels
apt=$kernels/apt
missing=
for entry in $matrix; do
	[ -e "$kernels/${entry%%:*}/release" ] && [ "$(cat "$kernels/${entry%%:*}/modules/names" 2>/dev/null)" = "$modules" ] || missing="$missing $entry"
done
[ -n "$missing" ] || exit 0
for tool in apt-get dpkg-deb xz; do
	command -v $tool >/dev/null || die "the kernels of the matrix are Debian packages, and '$tool' is missing: run this on Debian, or put vmlinuz, config and release into .cache/kernels/VERSION yourself."
done

# The archive is the one that this machine's own sources name, or REEL_DEBIAN_ARCHIVE.
archive=${REEL_DEBIAN_ARCHIVE:-$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -E '/debian/?$' | head -n 1 || true)}
[ -n "$archive" ] || die "this machine's apt knows no Debian archive to fetch the kernels of the matrix from: set REEL_DEBIAN_ARCHIVE to the URL of one."
archive=${archive%/}

fetch() { # VERSION SUITES
	local version=$1 suites=$2 suite uri work=$kernels/$1.new
	local -a options=(-q -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::State=$apt"
		-o "Dir::State::lists=$apt/lists" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache" -o APT::Architecture=amd64
		-o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o APT::Sandbox::User=root)
	rm -rf "$apt" "$work"
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$work"
	: >"$apt/status"
	for suite in ${suites//,/ }; do
		uri=$archive
		[[ $suite != *-security ]] || uri=$archive-security
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite main"
	done >"$apt/sources.list"
	apt-get "${options[@]}" update </dev/null >&2 || die "the package list of $suites ($archive) could not be fetched. See apt's message above."
	local image
	image=$(apt-cache "${options[@]}" show --no-all-versions $package | sed -n 's/^Depends: *\(linux-image-[^ ,]*\).*/\1/p')
	[ -n "$image" ] || die "$suites has no $package."
	(cd "$work" && apt-get "${options[@]}" download "$image" </dev/null >&2) || die "$image could not be downloaded. See apt's message above."
	(cd "$work" && dpkg-deb -x ./*.deb tree)
	local release
	release=$(basename "$work"/tree/boot/vmlinuz-*)
	release=${release#vmlinuz-}
	mv "$work/tree/boot/vmlinuz-$release" "$work/vmlinuz"
	mv "$work/tree/boot/config-$release" "$work/config"
	# Modules that the guest loads, uncompressed: TLS in the kernel, and AES-GCM for it. What a kernel has built in, or not at all, is not there.
	mkdir "$work/modules"
	local module
	for module in $modules; do
		find "$work/tree" -name "$module.ko*" -exec cp {} "$work/modules" \;
	done
	find "$work/modules" -name '*.xz' -exec xz -d {} +
	echo "$modules" >"$work/modules/names"
	rm -rf "$work/tree" "$work"/*.deb "$apt"
	echo "$release" >"$work/release"
	rm -rf "${kernels:?}/$version"
	mv "$work" "$kernels/$version"
	say "kernel $version: $release"
}

for entry in $missing; do
	fetch "${entry%%:*}" "${entry#*:}"
done
