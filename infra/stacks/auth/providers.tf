# The same in every stack (checked by test.sh). With local_endpoint set, no request can reach AWS: the endpoints are
# given here, and the credentials are the emulator's.
provider "aws" {
  region              = var.region
  allowed_account_ids = local.is_local || length(var.allowed_account_ids) == 0 ? null : var.allowed_account_ids

  access_key                  = local.is_local ? "test" : null
  secret_key                  = local.is_local ? "test" : null
  skip_credentials_validation = local.is_local
  skip_metadata_api_check     = local.is_local
  # Asked for in the local cloud, too: execution ARNs are made of it, and a wrong one denies what it should allow.
  skip_requesting_account_id = false
  s3_use_path_style          = local.is_local

  dynamic "endpoints" {
    for_each = local.is_local ? [var.local_endpoint] : []
    content {
      apigateway     = endpoints.value
      apigatewayv2   = endpoints.value
      budgets        = endpoints.value
      cloudwatch     = endpoints.value
      cloudwatchlogs = endpoints.value
      dynamodb       = endpoints.value
      ec2            = endpoints.value
      elasticache    = endpoints.value
      eventbridge    = endpoints.value
      iam            = endpoints.value
      kms            = endpoints.value
      lambda         = endpoints.value
      s3             = endpoints.value
      sns            = endpoints.value
      sqs            = endpoints.value
      ssm            = endpoints.value
      sts            = endpoints.value
    }
  }

  default_tags {
    tags = {
      project     = "holdfast"
      environment = var.env
      stack       = local.stack
    }
  }
}
