locals {
  name          = join("-", compact([var.name_prefix, var.name]))
  instance_name = "${local.name}-authorizer"

  is_rest = var.api.type == "REST"
  v2      = var.create && !local.is_rest ? { this = true } : {}
  v1      = var.create && local.is_rest ? { this = true } : {}

  # API Gateway gives a kept result to every request with the same identity source. It looks at no method and no other header. So the identity source
  # must be the whole credential. By cookie, a request that another site has caused would get the result of a request that the user made. A request
  # without the header is then answered with 401.
  is_cached = var.result_ttl_seconds > 0

  # The shared function, or the instance that is made here.
  function = var.instance == null ? var.function : one([for instance in module.instance : {
    name       = instance.name
    qualifier  = instance.qualifier
    invoke_arn = instance.invoke_arn
  }])

  authorizer_id = local.is_rest ? try(aws_api_gateway_authorizer.this["this"].id, null) : try(aws_apigatewayv2_authorizer.this["this"].id, null)
  source_arn    = var.create ? "${var.api.execution_arn}/authorizers/${local.authorizer_id}" : null
}

module "instance" {
  source   = "../lambda-function"
  for_each = var.create && var.instance != null ? { this = var.instance } : {}

  name         = local.instance_name
  description  = "Session authorizer of the API ${var.api.id}"
  artifact     = each.value.artifact
  architecture = each.value.architecture

  memory_size_mb  = each.value.memory_size_mb
  timeout_seconds = each.value.timeout_seconds

  environment = merge(
    each.value.environment,
    { REQUIRE_MFA = tostring(var.require_mfa) },
    var.max_age_seconds == null ? {} : { MAX_AGE_SECONDS = tostring(var.max_age_seconds) },
  )

  permissions = each.value.permissions
  vpc         = each.value.vpc

  application_log_level    = each.value.application_log_level
  system_log_level         = each.value.system_log_level
  alias_owner              = each.value.alias_owner
  tracing_enabled          = each.value.tracing_enabled
  log_retention_days       = each.value.log_retention_days
  kms_key_arn              = each.value.kms_key_arn
  permissions_boundary_arn = each.value.permissions_boundary_arn
  code_signing_config_arn  = each.value.code_signing_config_arn
  tags                     = var.tags
}

resource "aws_apigatewayv2_authorizer" "this" {
  for_each = local.v2

  api_id           = var.api.id
  name             = local.name
  authorizer_type  = "REQUEST"
  authorizer_uri   = local.function.invoke_arn
  identity_sources = local.is_cached ? ["$request.header.Authorization"] : null

  # A WebSocket API asks once, at the handshake. It has neither payload formats nor results that are kept.
  authorizer_payload_format_version = var.api.type == "HTTP" ? "2.0" : null
  enable_simple_responses           = var.api.type == "HTTP" ? true : null
  authorizer_result_ttl_in_seconds  = var.api.type == "HTTP" ? var.result_ttl_seconds : null
}

resource "aws_api_gateway_authorizer" "this" {
  for_each = local.v1

  rest_api_id                      = var.api.id
  name                             = local.name
  type                             = "REQUEST"
  authorizer_uri                   = local.function.invoke_arn
  identity_source                  = local.is_cached ? "method.request.header.Authorization" : ""
  authorizer_result_ttl_in_seconds = var.result_ttl_seconds
}

# This authorizer of this API, and nobody else.
resource "aws_lambda_permission" "this" {
  for_each = var.create && var.create_permission ? { this = true } : {}

  statement_id  = "authorizer-${var.api.id}-${local.name}"
  action        = "lambda:InvokeFunction"
  function_name = local.function.name
  qualifier     = local.function.qualifier
  principal     = "apigateway.amazonaws.com"
  source_arn    = local.source_arn
}
