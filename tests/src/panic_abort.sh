#!/bin/sh
# Cargo runs this instead of rustc for the crates of the workspace, with the command in its arguments.
exec "$@" -C panic=abort
