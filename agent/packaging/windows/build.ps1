# Never run on Windows. Lays out the folder "stage" and makes ztagent.msi with WiX 5 (dotnet tool install wix).
# Nothing is fetched: the three inputs are downloaded before, by people, and their SHA-256 is compared here.
param(
    [Parameter(Mandatory)] [string] $Version,
    [Parameter(Mandatory)] [string] $Zipapp,        # ztagent.pyz, made by: python -m agent.packaging zipapp
    [Parameter(Mandatory)] [string] $Python,        # python-3.NN.N-embed-amd64.zip of python.org
    [Parameter(Mandatory)] [string] $PythonSha256,
    [Parameter(Mandatory)] [string] $Shawl,         # shawl.exe 1.7.0, github.com/mtkennerly/shawl
    [Parameter(Mandatory)] [string] $ShawlSha256,
    [Parameter(Mandatory)] [string] $Wheels,        # folder with the wheels of psutil, cryptography, cffi, pycparser
    [Parameter(Mandatory)] [string] $Requirements   # the lines of requirements.lock for these four, with their hashes
)
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version Latest

foreach ($pair in @(@($Python, $PythonSha256), @($Shawl, $ShawlSha256))) {
    if ((Get-FileHash -Algorithm SHA256 $pair[0]).Hash -ne $pair[1]) { throw "$($pair[0]) has another SHA-256" }
}
if (Test-Path stage) { throw 'stage is there already; remove it first' }
New-Item -ItemType Directory stage\runtime | Out-Null
Expand-Archive $Python stage\runtime
# By a Python of the same minor version as the embeddable one; wheels with other hashes are refused.
python -m pip install --no-index --find-links $Wheels --no-deps --require-hashes --only-binary :all: `
    --target stage\runtime\site -r $Requirements
# A ._pth file keeps Python from reading anything but these places: no registry, no environment, no user folder.
$pth = Get-Item stage\runtime\python*._pth
@("$($pth.BaseName).zip", '.', 'site') | Set-Content -Encoding ascii $pth
Copy-Item $Zipapp stage\ztagent.pyz
Copy-Item $Shawl stage\shawl.exe
wix build -arch x64 -d "Version=$Version" -o ztagent.msi ztagent.wxs
# Then: signtool sign /fd SHA256 /tr ... /td SHA256 ztagent.msi
