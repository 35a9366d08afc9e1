#!/bin/sh
# Installs the system packages of the lab: a Samba domain controller, its clients, ssh-keygen, PostgreSQL, ip, a TPM in
# software, rpm with dnf and zypper, systemd in a container. Debian, root.
# No daemon is started. The backports suite is added from the mirror that this machine already uses.
set -eu

PACKAGES="samba samba-ad-dc samba-ad-provision samba-dsdb-modules samba-vfs-modules winbind ldb-tools smbclient \
krb5-user ldap-utils python3-gssapi faketime openssh-client postgresql iproute2 swtpm tpm2-tools \
rpm dnf zypper createrepo-c systemd systemd-container python3-psutil python3-cryptography"
SOURCE=/etc/apt/sources.list.d/ztgrade-lab.sources
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
POLICY=/usr/sbin/policy-rc.d

[ "$(id -u)" = 0 ] || { echo "lab-deps: must be run as root" >&2; exit 1; }
command -v apt-get >/dev/null || { echo "lab-deps: this is no Debian; install Samba 4.22 or newer by hand" >&2; exit 1; }
. /etc/os-release
SUITE="$VERSION_CODENAME-backports"
export DEBIAN_FRONTEND=noninteractive

missing=""
for package in $PACKAGES; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
if [ -z "$missing" ]; then
    echo "lab-deps: every package of the lab is installed"
    exit 0
fi

targets() {
    apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
        awk -v suite="$1" '$1 == suite && $2 == "main" { print $3; exit }'
}
if [ "$VERSION_CODENAME" = bookworm ] && [ -z "$(targets "$SUITE")" ]; then
    uri="$(targets "$VERSION_CODENAME")"
    [ -n "$uri" ] || { echo "lab-deps: no source of suite $VERSION_CODENAME is set up" >&2; exit 1; }
    echo "lab-deps: adds suite $SUITE of the mirror in use: $SOURCE"
    {
        printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$uri" "$SUITE"
        if [ -r "$KEYRING" ]; then printf 'Signed-By: %s\n' "$KEYRING"; fi
    } >"$SOURCE"
fi

echo "lab-deps: installs$missing and what they need"
if [ ! -e "$POLICY" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$POLICY"
    chmod 755 "$POLICY"
    trap 'rm -f "$POLICY"' EXIT
fi
apt-get update -q
if [ -n "$(targets "$SUITE")" ]; then set -- -t "$SUITE"; else set --; fi
# shellcheck disable=SC2086 (a list of names)
apt-get install -q -y --no-install-recommends "$@" $missing
