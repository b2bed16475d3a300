mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

override_data {
  target = data.aws_ssm_parameter.input["platform/sessions-table-name"]
  values = { insecure_value = "sessions" }
}

override_data {
  target = data.aws_ssm_parameter.input["platform/kms-key-arn"]
  values = { insecure_value = "none" }
}

override_data {
  target = data.aws_ssm_parameter.cache["cache-cluster"]
  values = { insecure_value = "true" }
}

override_data {
  target = data.aws_ssm_parameter.cache["cache-connect-arns"]
  values = { insecure_value = "arn:aws:elasticache:us-east-1:123456789012:serverlesscache:c,arn:aws:elasticache:us-east-1:123456789012:user:c-app" }
}

override_data {
  target = data.aws_ssm_parameter.cache["cache-name"]
  values = { insecure_value = "holdfast-test" }
}

override_data {
  target = data.aws_ssm_parameter.cache["cache-serverless"]
  values = { insecure_value = "false" }
}

override_data {
  target = data.aws_ssm_parameter.cache["cache-url"]
  values = { insecure_value = "rediss://cache:6379" }
}

override_data {
  target = data.aws_ssm_parameter.cache["cache-user"]
  values = { insecure_value = "holdfast-test-app" }
}

override_data {
  target = data.aws_ssm_parameter.cache["network-functions-security-group-id"]
  values = { insecure_value = "sg-functions" }
}

override_data {
  target = data.aws_ssm_parameter.cache["network-subnet-ids"]
  values = { insecure_value = "subnet-1,subnet-2" }
}

variables {
  stack            = "shop"
  env              = "test"
  artifacts_bucket = "artifacts"
  catalogue_file   = "tests/fixtures/functions.json"
  inputs           = ["platform/kms-key-arn", "platform/sessions-table-name"]
}

run "by_default_all_follows_from_the_environment" {
  command = apply
  assert {
    condition     = output.name_prefix == "holdfast-test" && output.ssm_prefix == "/holdfast/test" && output.account_id == "123456789012" && output.partition == "aws"
    error_message = "Names and parameters are the environment's."
  }
  assert {
    condition     = jsonencode(output.tags) == jsonencode({ project = "holdfast", environment = "test", stack = "shop" })
    error_message = "Everything is tagged."
  }
  assert {
    condition     = data.aws_iam_policy.boundary["this"].arn == "arn:aws:iam::123456789012:policy/holdfast-test-boundary" && output.permissions_boundary_arn == data.aws_iam_policy.boundary["this"].arn
    error_message = "Roles get the boundary that make bootstrap makes."
  }
  assert {
    condition     = !output.is_local && output.alias_owner == "terraform" && output.runbooks == "docs/runbooks" && output.artifacts_bucket == "artifacts" && !output.upload_artifacts
    error_message = "The release process fills the bucket."
  }
  assert {
    condition     = jsonencode(output.api_tags) == jsonencode({ http = {}, ws = {} })
    error_message = "AWS chooses the ids of APIs."
  }
  assert {
    condition     = jsonencode(output.input) == jsonencode({ "platform/kms-key-arn" = "none", "platform/sessions-table-name" = "sessions" }) && data.aws_ssm_parameter.input["platform/sessions-table-name"].name == "/holdfast/test/platform/sessions-table-name" && output.kms_key_arn == null
    error_message = "Parameters are read below the environment, and `none` stands for keys of AWS."
  }
  assert {
    condition     = jsonencode(output.routes) == jsonencode(["GET /v1/orders", "POST /v1/orders"])
    error_message = "Routes are the stack's own, sorted."
  }
  assert {
    condition     = length(output.http_environment) == 0
    error_message = "The API sees the client itself."
  }
  assert {
    condition     = !output.cache_is_redis && jsonencode(output.cache_environment) == jsonencode({ CACHE_PROVIDER = "dynamodb" }) && output.private_cache == null && length(data.aws_ssm_parameter.cache) == 0
    error_message = "Functions run outside any network."
  }
  assert {
    condition = jsonencode({ for name, value in output.session_environment : name => tostring(value) }) == jsonencode({
      ACCESS_TOKEN_TTL_SECONDS        = "900"
      ALLOWED_ORIGINS                 = ""
      CACHE_MAX_AGE_SECONDS           = "60"
      CACHE_PROVIDER                  = "dynamodb"
      MAX_SESSIONS_PER_USER           = "5"
      REFRESH_GRACE_SECONDS           = "10"
      SESSIONS_TABLE                  = "sessions"
      SESSION_ABSOLUTE_SECONDS        = "86400"
      SESSION_IDLE_SECONDS            = "3600"
      STAY_SIGNED_IN_ABSOLUTE_SECONDS = "2592000"
      STAY_SIGNED_IN_IDLE_SECONDS     = "1209600"
    })
    error_message = "Every function that judges a session gets the same."
  }
}

run "each_output_follows_its_input" {
  command = apply
  variables {
    name_prefix                     = "prefix"
    runbooks_url                    = "https://wiki.example/runbooks"
    alias_owner                     = "deployer"
    tags                            = { team = "checkout", stack = "mine" }
    trusted_proxy                   = "cloudfront"
    origin_secret_sha256            = "0000000000000000000000000000000000000000000000000000000000000001"
    allowed_origins                 = ["https://a.example", "https://b.example:8443"]
    access_token_ttl_seconds        = 101
    cache_max_age_seconds           = 11
    max_sessions_per_user           = 3
    refresh_grace_seconds           = 12
    session_idle_seconds            = 103
    session_absolute_seconds        = 104
    stay_signed_in_idle_seconds     = 105
    stay_signed_in_absolute_seconds = 106
  }
  override_data {
    target = data.aws_ssm_parameter.input["platform/kms-key-arn"]
    values = { insecure_value = "arn:aws:kms:us-east-1:123456789012:key/k" }
  }
  assert {
    condition     = output.name_prefix == "prefix" && output.ssm_prefix == "/holdfast/test" && data.aws_iam_policy.boundary["this"].arn == "arn:aws:iam::123456789012:policy/prefix-boundary"
    error_message = "The boundary is named after the prefix, parameters are not."
  }
  assert {
    condition     = jsonencode(output.tags) == jsonencode({ project = "holdfast", environment = "test", stack = "shop", team = "checkout" })
    error_message = "Own tags are added, and replace none."
  }
  assert {
    condition     = output.runbooks == "https://wiki.example/runbooks" && output.alias_owner == "deployer"
    error_message = "Both are passed on."
  }
  assert {
    condition     = output.kms_key_arn == "arn:aws:kms:us-east-1:123456789012:key/k"
    error_message = "The key of the stack platform."
  }
  assert {
    condition     = jsonencode(output.http_environment) == jsonencode({ TRUSTED_PROXY = "cloudfront", ORIGIN_SECRET_SHA256 = "0000000000000000000000000000000000000000000000000000000000000001" })
    error_message = "Functions are told of the proxy, and of the secret that it adds."
  }
  assert {
    condition = jsonencode({ for name, value in output.session_environment : name => tostring(value) }) == jsonencode({
      ACCESS_TOKEN_TTL_SECONDS        = "101"
      ALLOWED_ORIGINS                 = "https://a.example,https://b.example:8443"
      CACHE_MAX_AGE_SECONDS           = "11"
      CACHE_PROVIDER                  = "dynamodb"
      MAX_SESSIONS_PER_USER           = "3"
      REFRESH_GRACE_SECONDS           = "12"
      SESSIONS_TABLE                  = "sessions"
      SESSION_ABSOLUTE_SECONDS        = "104"
      SESSION_IDLE_SECONDS            = "103"
      STAY_SIGNED_IN_ABSOLUTE_SECONDS = "106"
      STAY_SIGNED_IN_IDLE_SECONDS     = "105"
    })
    error_message = "Each variable reaches the functions."
  }
}

run "on_the_local_cloud_terraform_uploads_ids_are_fixed_and_the_cache_is_a_process" {
  command = apply
  variables {
    local_endpoint       = "http://127.0.0.1:4566"
    artifacts_bucket     = ""
    alias_owner          = "deployer"
    permissions_boundary = false
    cache_provider       = "redis"
    local_redis_url      = "redis://127.0.0.1:6379/0"
  }
  assert {
    condition     = output.is_local && output.alias_owner == "none"
    error_message = "The local cloud routes nothing by weights."
  }
  assert {
    condition     = output.artifacts_bucket == "holdfast-test-artifacts" && output.upload_artifacts
    error_message = "Nobody else fills a bucket."
  }
  assert {
    condition     = jsonencode(output.api_tags) == jsonencode({ http = { ms-custom-id = substr(sha256("holdfast-test-http"), 0, 8) }, ws = { ms-custom-id = substr(sha256("holdfast-test-ws"), 0, 8) } })
    error_message = "Addresses stay the same."
  }
  assert {
    condition     = length(data.aws_iam_policy.boundary) == 0 && output.permissions_boundary_arn == null
    error_message = "Nothing was bootstrapped, so nothing is looked up."
  }
  assert {
    condition     = output.cache_is_redis && jsonencode(output.cache_environment) == jsonencode({ CACHE_PROVIDER = "redis", REDIS_URL = "redis://127.0.0.1:6379/0" }) && output.private_cache == null && length(data.aws_ssm_parameter.cache) == 0
    error_message = "The cache has an address, and no network."
  }
}

run "a_stack_that_reads_nothing_and_has_no_functions" {
  command = apply
  variables {
    inputs         = []
    catalogue_file = null
  }
  assert {
    condition     = length(output.input) == 0 && output.kms_key_arn == null && length(output.routes) == 0
    error_message = "Nothing is looked up for it."
  }
}

run "the_cache_on_aws_is_read_from_the_stack_that_makes_it" {
  command = apply
  variables {
    cache_provider = "redis"
  }
  assert {
    condition     = output.cache_is_redis && data.aws_ssm_parameter.cache["cache-url"].name == "/holdfast/test/platform/cache-url"
    error_message = "The stack platform publishes it."
  }
  assert {
    condition = jsonencode(output.cache_environment) == jsonencode({
      CACHE_PROVIDER       = "redis"
      REDIS_URL            = "rediss://cache:6379"
      REDIS_CLUSTER        = "true"
      REDIS_IAM_USER       = "holdfast-test-app"
      REDIS_IAM_CACHE      = "holdfast-test"
      REDIS_IAM_SERVERLESS = "false"
    })
    error_message = "Address, kind and user."
  }
  assert {
    condition = jsonencode(output.private_cache) == jsonencode({
      subnet_ids         = ["subnet-1", "subnet-2"]
      security_group_ids = ["sg-functions"]
      connect_arns       = ["arn:aws:elasticache:us-east-1:123456789012:serverlesscache:c", "arn:aws:elasticache:us-east-1:123456789012:user:c-app"]
      endpoint_services  = ["kms"]
    })
    error_message = "Network and rights of the functions that use it."
  }
}

run "the_stack_that_makes_the_cache_reads_nothing" {
  command = apply
  variables {
    cache_provider    = "redis"
    redis_delete_only = true
    published_cache   = { cache-cluster = "true", cache-connect-arns = "arn:aws:elasticache:us-east-1:123456789012:serverlesscache:c,arn:aws:elasticache:us-east-1:123456789012:user:c-app", cache-name = "holdfast-test", cache-serverless = "false", cache-url = "rediss://own:6379", cache-user = "holdfast-test-app", network-functions-security-group-id = "sg-functions", network-subnet-ids = "subnet-1,subnet-2" }
  }
  assert {
    condition     = length(data.aws_ssm_parameter.cache) == 0 && output.private_cache.security_group_ids[0] == "sg-functions"
    error_message = "It says itself where the cache is."
  }
  assert {
    condition     = output.cache_is_redis && output.cache_environment.CACHE_PROVIDER == "dynamodb" && output.cache_environment.REDIS_URL == "rediss://own:6379"
    error_message = "Delete only is an address without the provider."
  }
}

run "http_origins_are_for_development" {
  command = apply
  variables {
    env             = "staging"
    allowed_origins = ["http://localhost:5173", "http://127.0.0.1:5173", "http://[::1]:5173"]
    published_cache = {}
  }
  assert {
    condition     = output.name_prefix == "holdfast-staging" && output.private_cache == null
    error_message = "Pages on the developer's machine; and a stack that makes a cache, without one."
  }
}

run "the_local_cloud_takes_every_http_origin" {
  command = apply
  variables {
    local_endpoint   = "http://127.0.0.1:4566"
    artifacts_bucket = ""
    env              = "local"
    allowed_origins  = ["http://192.168.1.7:3000"]
  }
  assert {
    condition     = output.session_environment.ALLOWED_ORIGINS == "http://192.168.1.7:3000"
    error_message = "Somebody tries the page from a phone."
  }
}
