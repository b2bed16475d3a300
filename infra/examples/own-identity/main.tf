terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.96, < 7"
    }
  }
}

# Region and credentials come from the environment.
provider "aws" {}

data "aws_caller_identity" "current" {}

locals {
  tags = { project = var.name }

  # The function that makes sessions, with its alias. The policy names it, and nothing else can be invoked.
  create_session_arn = one(flatten([
    for statement in jsondecode(var.create_session_policy).Statement : statement.Resource if statement.Action == ["lambda:InvokeFunction"]
  ]))
  # arn:aws:lambda:<region>:<account>:function:<name>:<alias>
  create_session = split(":", local.create_session_arn)

  secret_region = var.client_secret_arn == null ? "" : split(":", var.client_secret_arn)[3]

  endpoint   = var.local_endpoint == "" ? module.api.endpoint : "${var.local_endpoint}/_aws/execute-api/${module.api.id}"
  public_url = coalesce(var.public_url, local.endpoint)
}

module "artifacts" {
  source = "../../modules/s3-bucket"

  name          = "${var.name}-artifacts-${data.aws_caller_identity.current.account_id}"
  force_destroy = true
  # A local cloud does not live long enough for its rules, for which Terraform waits a minute.
  lifecycle_enabled = var.local_endpoint == ""
  tags              = local.tags
}

module "api" {
  source = "../../modules/http-api"

  name               = var.name
  description        = "Signs users in with OpenID Connect."
  throttling         = { rate_limit = 50, burst_limit = 100 }
  log_retention_days = 14
  tags               = local.tags
}

# The function runs outside every VPC, because it calls the provider over the internet. Holdfast's own functions may run inside.
module "service" {
  source = "../../modules/service"

  stack              = "identity"
  env                = "example"
  name_prefix        = var.name
  catalogue_file     = "${path.module}/functions.json"
  release_manifest   = var.release_manifest
  artifacts_bucket   = module.artifacts.name
  upload_artifacts   = true
  log_retention_days = 14
  tags               = local.tags

  http_api = {
    id            = module.api.id
    execution_arn = module.api.execution_arn
  }

  functions = {
    sign-in = {
      description = "GET /login and GET /callback"
      # More than all its calls together, which end after 20 s.
      timeout_seconds = 25
      environment = {
        ISSUER_URL               = var.issuer_url
        CLIENT_ID                = var.client_id
        CLIENT_SECRET_ARN        = var.client_secret_arn == null ? "" : var.client_secret_arn
        PUBLIC_URL               = local.public_url
        APP_URL                  = var.app_url
        TRANSPORT                = var.transport
        MAX_AGE_SECONDS          = var.max_age_seconds
        CREATE_SESSION_FUNCTION  = local.create_session[6]
        CREATE_SESSION_QUALIFIER = try(local.create_session[7], "")
      }
      permissions = merge(
        { CreateSession = { actions = ["lambda:InvokeFunction"], resources = [local.create_session_arn] } },
        # The function reads the value. Terraform does not, so the value is in no state, no plan and no environment variable.
        var.client_secret_arn == null ? {} : { ClientSecret = { actions = ["secretsmanager:GetSecretValue"], resources = [var.client_secret_arn] } },
        var.client_secret_kms_key_arn == null ? {} : { ClientSecretKey = {
          actions   = ["kms:Decrypt"]
          resources = [var.client_secret_kms_key_arn]
          # The key may encrypt what others keep.
          conditions = { StringEquals = { "kms:ViaService" = ["secretsmanager.${local.secret_region}.amazonaws.com${startswith(local.secret_region, "cn-") ? ".cn" : ""}"] } }
        } },
      )
    }
  }
}

module "alarms" {
  source = "../../modules/alarms"

  name_prefix = var.name
  functions   = module.service.watch
  tags        = local.tags
}
