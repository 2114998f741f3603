#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The vercel program itself against our stand-in for its API: what the stand-in misunderstands, Vercel's own
# client does not.
#
#     tests/fake/vercel_program.sh build/tools/vercel/vercel
set -euo pipefail
[ $# = 1 ] || { sed -n '3,6s/^# \{0,1\}//p' "$0"; exit 2; }
program=$(realpath "$1")
server=$(realpath "$(dirname "$0")")/vercel_server.py
folder=$(mktemp -d)
coproc SERVER { exec python3 -B "$server"; }
serves=$SERVER_PID
trap 'kill "$serves" 2>/dev/null || true; rm -rf "$folder"' EXIT
read -r line <&"${SERVER[0]}"
api=http://127.0.0.1:$(sed 's/[^0-9]//g' <<<"$line")

export HOME=$folder/home VERCEL_ORG_ID=team_shop VERCEL_PROJECT_ID=prj_frontend VERCEL_TELEMETRY_DISABLED=1 CI=1
mkdir -p "$HOME" "$folder/site"
cd "$folder/site"
says() { timeout 60 "$program" --token verceltoken --api "$api" "$@"; }
live() { curl -sf "$api/-/state" | python3 -c 'import json, sys; now = json.load(sys.stdin); print(now["alias"]["to"], now["complaints"])'; }
expect() { [ "$(live)" = "$1 []" ] || { echo "expected $1 to be live without complaints: $(live)" >&2; exit 1; }; }

printf '%s' https://api.example.org | says env add NEXT_PUBLIC_API_URL production --yes
says env ls production | grep NEXT_PUBLIC_API_URL
echo one > index.html; says deploy --prod --skip-domain --yes; expect None
says promote dpl_1 --yes; expect dpl_1
echo two > index.html; says deploy --prod --skip-domain --yes; expect dpl_1
says promote dpl_2 --yes; expect dpl_2
says rollback dpl_1 --yes; expect dpl_1
echo "the vercel program deploys, promotes and rolls back on the stand-in"
