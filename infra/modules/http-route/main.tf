locals {
  routes = var.create ? { for key in var.route_keys : key => {
    # $default has no method and no path; a path parameter is whatever the caller sends.
    source = key == "$default" ? "*/$default" : "*/${replace(replace(key, " ", ""), "/\\{[^}]+\\}/", "*")}"
    # In IAM, ANY is written as '*'.
    invoked = key == "$default" ? "*" : "*/${replace(replace(replace(key, "/^ANY /", "* "), " ", ""), "/\\{[^}]+\\}/", "*")}"
  } } : {}
}

resource "aws_apigatewayv2_integration" "this" {
  for_each = var.create ? { this = true } : {}

  api_id                 = var.api_id
  description            = var.function_name
  integration_type       = "AWS_PROXY"
  integration_method     = "POST"
  integration_uri        = var.invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = var.timeout_milliseconds
}

resource "aws_apigatewayv2_route" "this" {
  #checkov:skip=CKV_AWS_309:NONE is for functions that check the caller's token; AWS_IAM and CUSTOM are the other choices

  for_each = local.routes

  api_id             = var.api_id
  route_key          = each.key
  target             = "integrations/${aws_apigatewayv2_integration.this["this"].id}"
  authorization_type = var.authorization
  authorizer_id      = var.authorizer_id
}

resource "aws_lambda_permission" "this" {
  for_each = local.routes

  # A statement id has letters, digits, '-' and '_' only.
  statement_id  = "http-${replace(replace(each.key, "/[^A-Za-z0-9]+/", "-"), "/^-|-$/", "")}"
  action        = "lambda:InvokeFunction"
  function_name = var.function_name
  qualifier     = var.function_qualifier
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${var.api_execution_arn}/${each.value.source}"
}
