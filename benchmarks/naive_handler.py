"""What a handler pays who takes everything that the libraries offer: the other end of `benchmarks.imports`."""

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from sqlalchemy import create_engine
from sqlalchemy.orm import configure_mappers

from goatedvips.models import relations

configure_mappers()
engine = create_engine("postgresql+pg8000://api@127.0.0.1/goatedvips")
api = APIGatewayHttpResolver(enable_validation=True)
logger = Logger(service="naive")
tracer = Tracer(service="naive")
metrics = Metrics(namespace="Naive", service="naive")
rds = boto3.client("rds", region_name="us-east-1")  # signs the password of each connection


@api.get("/v1/me")
def get_me() -> str:
    """Answer something, so that the resolver has a route."""
    return relations.User.__name__
