# SPDX-License-Identifier: GPL-2.0-or-later
# step.sh FUNCTION [ARG...]: runs one function of this folder with errexit (see progress.sh).
set -euo pipefail
. "$LAB_TREE/tests/setup/all.sh"
"$@"
