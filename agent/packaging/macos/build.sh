#!/bin/sh
# Never run on macOS. Makes ztagent.pkg; nothing is fetched. Needs the command line tools of Xcode, for swiftc and lipo.
#   build.sh VERSION ZTAGENT_PYZ RUNTIME [IDENTITY]
# RUNTIME is a relocatable Python (python-build-standalone, unpacked) into which the wheels of psutil and cryptography
# were installed with the hashes of the lock. IDENTITY ("Developer ID Application: ...") signs ztagent-enclave, which
# asks for no entitlements, so that any identity or none will do for the keys; Apple notarises signed programs only.
# Sign with: productsign --sign "Developer ID Installer: ..." in out
set -eu
version=$1 pyz=$2 runtime=$3 identity=${4:-}
here=$(cd "$(dirname "$0")" && pwd)
stage=$(mktemp -d)
scripts=$(mktemp -d)
built=$(mktemp -d)
mkdir -p "$stage/Library/ztagent" "$stage/Library/LaunchDaemons"
cp -R "$runtime" "$stage/Library/ztagent/runtime"
install -m 0644 "$pyz" "$stage/Library/ztagent/ztagent.pyz"
install -m 0755 "$here/ztagent" "$stage/Library/ztagent/ztagent"
install -m 0755 "$here/../enrol" "$stage/Library/ztagent/enrol"
install -m 0644 "$here/tw.ztgrade.ztagent.plist" "$stage/Library/LaunchDaemons/tw.ztgrade.ztagent.plist"
# Public keys in DER come with macOS 11, the first for Apple silicon.
for arch in arm64 x86_64; do
	swiftc -O -target "$arch-apple-macos11.0" -o "$built/$arch" "$here/enclave.swift"
done
lipo -create -output "$built/both" "$built/arm64" "$built/x86_64"
if [ -n "$identity" ]; then
	codesign --force --options runtime --timestamp --sign "$identity" "$built/both"
fi
install -m 0755 "$built/both" "$stage/Library/ztagent/ztagent-enclave"
for name in preinstall postinstall; do
	sed "s/@VERSION@/$version/" "$here/$name" >"$scripts/$name"
	chmod 0755 "$scripts/$name"
done
pkgbuild --root "$stage" --scripts "$scripts" --identifier tw.ztgrade.ztagent --version "$version" \
	--ownership recommended ztagent.pkg
