# What exists before the example in an account: a VPC of another team with an endpoint to DynamoDB, and a hosted zone. `infra/examples.sh` applies
# it first, and passes its outputs to the example as variables.
terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.96, < 7"
    }
  }
}

provider "aws" {}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

data "aws_availability_zones" "own" {
  #checkov:skip=CKV_AWS_394:The example takes the first two names of the list; it is destroyed at once
  state = "available"
}

module "network" {
  source = "../../../modules/network"

  name                = "order-events-surroundings"
  availability_zones  = slice(sort(data.aws_availability_zones.own.names), 0, 2)
  dynamodb_table_arns = ["arn:${data.aws_partition.current.partition}:dynamodb:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:table/order-events-orders"]
}

resource "aws_route53_zone" "example" {
  #checkov:skip=CKV2_AWS_38:This zone is an example; no resolver sends queries to it
  #checkov:skip=CKV2_AWS_39:This zone is an example; no resolver sends queries to it

  name = "order-events.example.com"
}

output "domain_name" {
  value = "api.${aws_route53_zone.example.name}"
}

output "hosted_zone_id" {
  value = aws_route53_zone.example.zone_id
}

output "vpc_id" {
  value = module.network.vpc_id
}

output "subnet_ids" {
  value = module.network.subnet_ids
}
