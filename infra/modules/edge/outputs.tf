output "url" {
  description = "Address that viewers use; null without an edge."
  value       = var.create ? "https://${var.domain_name}" : null

  # It answers when the distribution is there.
  depends_on = [aws_cloudfront_distribution.this]
}

output "target" {
  description = "Name that domain_name must point to where its DNS is not the hosted zone of this module; null without an edge."
  value       = one([for distribution in aws_cloudfront_distribution.this : distribution.domain_name])
}

output "target_zone_id" {
  description = "Id of the hosted zone of target, for an alias record elsewhere; null without an edge."
  value       = one([for distribution in aws_cloudfront_distribution.this : distribution.hosted_zone_id])
}

output "origin_secret_sha256" {
  description = "SHA-256 of the origin secret, for the functions; null without an edge."
  value       = var.create ? nonsensitive(sha256(var.origin_secret)) : null
}

output "web_acl_arn" {
  description = "ARN of the web ACL; null without an edge."
  value       = one([for acl in aws_wafv2_web_acl.this : acl.arn])
}

output "settings" {
  description = "Settings of the distribution and the web ACL, taken from the resources, for reviews and tests."
  value = {
    aliases        = sort(flatten([for distribution in aws_cloudfront_distribution.this : tolist(distribution.aliases)]))
    methods        = sort(flatten([for distribution in aws_cloudfront_distribution.this : tolist(distribution.default_cache_behavior[0].allowed_methods)]))
    origin         = one([for distribution in aws_cloudfront_distribution.this : nonsensitive("${one(distribution.origin).domain_name} ${one(distribution.origin).custom_origin_config[0].origin_protocol_policy}")])
    origin_headers = flatten([for distribution in aws_cloudfront_distribution.this : nonsensitive([for header in one(distribution.origin).custom_header : header.name])])
    rules          = sort(flatten([for acl in aws_wafv2_web_acl.this : [for rule in acl.rule : "${rule.priority} ${rule.name}"]]))
    rate           = flatten([for acl in aws_wafv2_web_acl.this : [for rule in acl.rule : [for statement in rule.statement[0].rate_based_statement : "${statement.limit} by ${statement.aggregate_key_type} in ${statement.evaluation_window_sec} s"]]])
    tls            = one([for distribution in aws_cloudfront_distribution.this : distribution.viewer_certificate[0].minimum_protocol_version])
    viewer_headers = sort(flatten([for policy in aws_cloudfront_origin_request_policy.this : [for headers in policy.headers_config[0].headers : tolist(headers.items)]]))
  }
}
