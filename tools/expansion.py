"""template.yaml as SAM expands it: what CloudFormation gets."""

import os
from copy import deepcopy
from pathlib import Path
from typing import Any
from unittest.mock import patch

from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

TEMPLATE = Path(__file__).resolve().parent.parent / "template.yaml"

type Document = dict[str, Any]


def read() -> Document:
    """Return template.yaml, parsed."""
    document: Document = yaml_parse(TEMPLATE.read_text())
    return document


def expand(document: Document) -> Document:
    """Return a template as CloudFormation gets it; code stands where `sam package` would have uploaded it."""
    source = deepcopy(document)
    for resource in source["Resources"].values():
        for place in ("CodeUri", "ContentUri"):
            if place in resource.get("Properties", {}):
                resource["Properties"][place] = "s3://bucket/key"
    with patch.dict(os.environ, AWS_DEFAULT_REGION="us-east-1"):
        expanded: Document = Translator({}, Parser()).translate(source, {})
    return expanded
