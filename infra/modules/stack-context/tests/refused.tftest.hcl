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

variables {
  stack            = "shop"
  env              = "test"
  artifacts_bucket = "artifacts"
  catalogue_file   = "tests/fixtures/functions.json"
  inputs           = ["platform/kms-key-arn", "platform/sessions-table-name"]
}

run "refuses_wrong_names_and_too_much" {
  command = plan
  variables {
    stack                           = "Shop"
    env                             = "Test"
    name_prefix                     = "Upper"
    local_endpoint                  = "http://10.0.0.1:4566"
    runbooks_url                    = "http://wiki/"
    alias_owner                     = "both"
    inputs                          = ["sessions-table-name"]
    tags                            = { "aws:team" = "checkout" }
    catalogue_file                  = "tests/fixtures/none.json"
    trusted_proxy                   = "nginx"
    published_cache                 = { cache-url = "rediss://own:6379" }
    session_absolute_seconds        = 31536001
    stay_signed_in_absolute_seconds = 31536001
    max_sessions_per_user           = 11
    refresh_grace_seconds           = 61
    cache_max_age_seconds           = 3601
  }
  expect_failures = [var.stack, var.env, var.name_prefix, var.local_endpoint, var.runbooks_url, var.alias_owner, var.inputs, var.tags, var.catalogue_file, var.trusted_proxy, var.published_cache, var.session_absolute_seconds, var.stay_signed_in_absolute_seconds, var.max_sessions_per_user, var.refresh_grace_seconds, var.cache_max_age_seconds]
}

run "refuses_what_is_missing_and_too_little" {
  command = plan
  variables {
    artifacts_bucket                = ""
    allowed_origins                 = ["http://staging.example.com"]
    trusted_proxy                   = "cloudfront"
    local_redis_url                 = "redis://127.0.0.1:6379/0"
    session_absolute_seconds        = 0
    stay_signed_in_absolute_seconds = 0
    max_sessions_per_user           = 0
    refresh_grace_seconds           = -1
    cache_max_age_seconds           = 0
  }
  expect_failures = [var.artifacts_bucket, var.allowed_origins, var.origin_secret_sha256, var.local_redis_url, var.session_absolute_seconds, var.stay_signed_in_absolute_seconds, var.max_sessions_per_user, var.refresh_grace_seconds, var.cache_max_age_seconds]
}

run "refuses_fractions_origins_that_no_browser_sends_and_a_redis_elsewhere" {
  command = plan
  variables {
    local_endpoint                  = "http://127.0.0.1:4566"
    artifacts_bucket                = ""
    env                             = "local"
    allowed_origins                 = ["https://app.example.com/"]
    origin_secret_sha256            = "hunter2"
    trusted_proxy                   = "cloudfront"
    cache_provider                  = "redis"
    local_redis_url                 = "redis://cache.example.com:6379/0"
    session_absolute_seconds        = 86400.5
    stay_signed_in_absolute_seconds = 2592000.5
    max_sessions_per_user           = 4.5
    refresh_grace_seconds           = 1.5
    cache_max_age_seconds           = 10.5
  }
  expect_failures = [var.allowed_origins, var.origin_secret_sha256, var.local_redis_url, var.session_absolute_seconds, var.stay_signed_in_absolute_seconds, var.max_sessions_per_user, var.refresh_grace_seconds, var.cache_max_age_seconds]
}

run "refuses_redis_locally_without_an_address_and_idle_longer_than_absolute" {
  command = plan
  variables {
    local_endpoint              = "http://127.0.0.1:4566"
    artifacts_bucket            = ""
    cache_provider              = "redis"
    allowed_origins             = ["http://localhost.example.com"]
    origin_secret_sha256        = "0000000000000000000000000000000000000000000000000000000000000001"
    session_idle_seconds        = 86401
    stay_signed_in_idle_seconds = 2592001
  }
  expect_failures = [var.cache_provider, var.allowed_origins, var.origin_secret_sha256, var.session_idle_seconds, var.stay_signed_in_idle_seconds]
}

run "refuses_localhost_in_production_an_unknown_cache_and_an_access_token_that_outlives_idle" {
  command = plan
  variables {
    cache_provider           = "memory"
    env                      = "production"
    allowed_origins          = ["https://app.example.com", "http://localhost:5173"]
    access_token_ttl_seconds = 3601
  }
  expect_failures = [var.allowed_origins, var.access_token_ttl_seconds, var.cache_provider]
}

run "refuses_origins_in_capitals_and_lives_of_nothing" {
  command = plan
  variables {
    allowed_origins             = ["https://App.example.com"]
    session_idle_seconds        = 0
    stay_signed_in_idle_seconds = 0
  }
  expect_failures = [var.allowed_origins, var.session_idle_seconds, var.stay_signed_in_idle_seconds]
}

run "refuses_an_origin_with_its_schemes_port_and_lives_of_a_fraction" {
  command = plan
  variables {
    session_idle_seconds        = 3600.5
    stay_signed_in_idle_seconds = 1209600.5
    allowed_origins             = ["https://app.example.com:443"]
  }
  expect_failures = [var.allowed_origins, var.session_idle_seconds, var.stay_signed_in_idle_seconds]
}

run "refuses_the_origin_of_a_sandbox_an_access_token_of_no_life_and_delete_only_without_a_cache" {
  command = plan
  variables {
    access_token_ttl_seconds = 0
    allowed_origins          = ["null"]
    redis_delete_only        = true
  }
  expect_failures = [var.allowed_origins, var.access_token_ttl_seconds, var.redis_delete_only]
}

run "refuses_an_origin_with_a_user_and_an_access_token_of_a_fraction" {
  command = plan
  variables {
    access_token_ttl_seconds = 900.5
    allowed_origins          = ["https://user@app.example.com"]
  }
  expect_failures = [var.allowed_origins, var.access_token_ttl_seconds]
}

run "refuses_an_origin_with_any_host" {
  command = plan
  variables {
    allowed_origins = ["https://*.example.com"]
  }
  expect_failures = [var.allowed_origins]
}
