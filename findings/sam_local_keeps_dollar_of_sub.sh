#!/usr/bin/env bash
# SAM CLI 1.170.0: `!Sub` with a map of values leaves the dollar sign of a placeholder in the text.
#
# One would guess: `!Sub ["https://${Host}/v1", {Host: !Ref ApiHost}]` is resolved locally as in CloudFormation, where
# the placeholder, dollar sign and braces included, becomes the value.
# What happens: only `{Host}` is replaced, so that the dollar sign stays in front of the value. `!Sub` of a text alone
# is resolved rightly.
# Consequence: a URL or ARN that a template puts together in this way is right on AWS and wrong in `sam local`. Write
# `!Sub` of a text alone, with names of parameters in it, or `!Join`.
#
# Output seen:
#   text alone:      https://api.example.com/v1
#   text and values: https://$api.example.com/v1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check aws-sam-cli==1.170.0
SAM_CLI_TELEMETRY=0 "$folder/bin/python" - <<'PYTHON'
from samcli.lib.intrinsic_resolver.intrinsic_property_resolver import IntrinsicResolver
from samcli.lib.intrinsic_resolver.intrinsics_symbol_table import IntrinsicsSymbolTable

template = {"Parameters": {"ApiHost": {"Type": "String", "Default": "api.example.com"}}, "Resources": {}}
resolver = IntrinsicResolver(template=template, symbol_resolver=IntrinsicsSymbolTable(template=template))
alone = resolver.intrinsic_property_resolver({"Fn::Sub": "https://${ApiHost}/v1"}, False)
values = resolver.intrinsic_property_resolver({"Fn::Sub": ["https://${Host}/v1", {"Host": {"Ref": "ApiHost"}}]}, False)
print(f"text alone:      {alone}\ntext and values: {values}")
assert alone == "https://api.example.com/v1"
assert values == "https://$api.example.com/v1", "the behaviour has changed"
PYTHON
