#!/bin/sh
# Never run on macOS. Makes ztagent.pkg; nothing is fetched.
#   build.sh VERSION ZTAGENT_PYZ RUNTIME
# RUNTIME is a relocatable Python (python-build-standalone, unpacked) into which the wheels of psutil and cryptography
# were installed with the hashes of the lock. Sign with: productsign --sign "Developer ID Installer: ..." in out
set -eu
version=$1 pyz=$2 runtime=$3
here=$(cd "$(dirname "$0")" && pwd)
stage=$(mktemp -d)
scripts=$(mktemp -d)
mkdir -p "$stage/Library/ztagent" "$stage/Library/LaunchDaemons"
cp -R "$runtime" "$stage/Library/ztagent/runtime"
install -m 0644 "$pyz" "$stage/Library/ztagent/ztagent.pyz"
install -m 0755 "$here/ztagent" "$stage/Library/ztagent/ztagent"
install -m 0755 "$here/../enrol" "$stage/Library/ztagent/enrol"
install -m 0644 "$here/tw.ztgrade.ztagent.plist" "$stage/Library/LaunchDaemons/tw.ztgrade.ztagent.plist"
for name in preinstall postinstall; do
	sed "s/@VERSION@/$version/" "$here/$name" >"$scripts/$name"
	chmod 0755 "$scripts/$name"
done
pkgbuild --root "$stage" --scripts "$scripts" --identifier tw.ztgrade.ztagent --version "$version" \
	--ownership recommended ztagent.pkg
