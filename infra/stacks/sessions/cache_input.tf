# Where the cache is that the stack platform has made on AWS: the same file in auth, sessions and events (checked by test.sh).

data "aws_ssm_parameter" "cache" {
  for_each = toset(local.cache_is_private ? [
    "cache-cluster",
    "cache-connect-arns",
    "cache-name",
    "cache-serverless",
    "cache-url",
    "cache-user",
    "network-functions-security-group-id",
    "network-subnet-ids",
  ] : [])

  name = "${local.ssm_prefix}/platform/${each.value}"
}

locals {
  cache = { for name, parameter in data.aws_ssm_parameter.cache : name => parameter.insecure_value }
}
