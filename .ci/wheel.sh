#!/usr/bin/env bash
# Builds the wheel and tries it as a user would: installed without extras into a new environment, outside the checkout.
set -euo pipefail
cd "$(dirname "$0")/.."
checkout=$PWD
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT

.venv/bin/pip wheel --quiet --no-deps --wheel-dir "$home/dist" .
wheel=$(echo "$home"/dist/chatsim-*.whl)

# all files of the package, and nothing else
.venv/bin/python - "$wheel" >"$home/in-the-wheel" <<'EOF'
import sys, zipfile
names = zipfile.ZipFile(sys.argv[1]).namelist()
print(*sorted(name for name in names if ".dist-info/" not in name), sep="\n")
EOF
git ls-files chatsim | LC_ALL=C sort | diff - "$home/in-the-wheel"

python3 -m venv "$home/venv"
"$home/venv/bin/pip" install --quiet --no-compile --constraint constraints.txt "$wheel"
cp .ci/wheel_user.py "$home/user.py"
cd "$home"
PATH="$home/venv/bin:$PATH"
python -c 'import sys, chatsim; assert not chatsim.__file__.startswith(sys.argv[1]), chatsim.__file__' "$checkout"
chatsim --version
chatsim --help
chatsim race --world model --strategies upsert --rounds 5 --clients 4
chatsim delivery --world model --texts 5
chatsim race --strategies upsert,redis_lock --rounds 5 --clients 4
python user.py

refused() { # WORDS of a command that needs an extra, then the extra's name
    local said
    said=$(TQDM_DISABLE=1 "${@:1:$#-1}" 2>&1 </dev/null) && { echo "$* has not failed"; exit 1; }
    grep --quiet "^Error: .*pip install 'chatsim\[${!#}\]'$" <<<"$said" || { echo "$said"; exit 1; }
}
refused chatsim schedule --generate 1 --check generate
refused chatsim delivery --peers grpc --texts 1 grpc

pip install --quiet --no-compile --constraint "$checkout/constraints.txt" mypy pytest
mypy --strict user.py

# the plugin for pytest, which is loaded by its entry point
cp -r "$checkout/examples/seat-booking" "$home/example"
cd "$home/example"
pytest --quiet
