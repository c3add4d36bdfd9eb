#!/usr/bin/env bash
# ui.sh [check]: builds the report's page (report/html/ui) into report/html/dist, which Go embeds. `check` builds it and
# fails if what is committed differs.
set -euo pipefail
cd "$(dirname "$0")/../report/html/ui"

command -v npm >/dev/null || {
	echo "npm is missing. Install Node.js 20 or newer (Debian: sudo apt-get install nodejs npm)." >&2
	exit 1
}
# npm ci takes the lock file as it is; it is run again only when that has changed.
if [ ! -e node_modules/.lock ] || ! cmp -s package-lock.json node_modules/.lock; then
	npm ci --no-audit --no-fund --loglevel=error >&2
	cp package-lock.json node_modules/.lock
fi
npm run --silent check
npm run --silent build

if [ "${1:-}" = check ]; then
	git diff --exit-code --stat -- ../dist || {
		echo "report/html/dist differs from what its sources give. Run scripts/ui.sh and commit the result." >&2
		exit 1
	}
fi
