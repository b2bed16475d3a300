mock_provider "aws" {
  mock_resource "aws_s3_bucket" {
    defaults = { id = "example-bucket", arn = "arn:aws:s3:::example-bucket" }
  }
}

variables { name = "example-bucket" }

run "a_bucket_is_private_versioned_and_encrypted" {
  command = apply
  assert {
    condition     = alltrue([for setting in ["block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"] : aws_s3_bucket_public_access_block.this["this"][setting]])
    error_message = "All four public access blocks."
  }
  assert {
    condition     = aws_s3_bucket_versioning.this["this"].versioning_configuration[0].status == "Enabled" && one(aws_s3_bucket_server_side_encryption_configuration.this["this"].rule).apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"
    error_message = "Versions and encryption."
  }
  assert {
    condition = jsonencode(jsondecode(aws_s3_bucket_policy.this["this"].policy).Statement) == jsonencode([{
      Sid       = "DenyInsecureTransport"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = ["arn:aws:s3:::example-bucket", "arn:aws:s3:::example-bucket/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }])
    error_message = "No request without TLS."
  }
  assert {
    condition     = aws_s3_bucket.this["this"].force_destroy == false
    error_message = "A bucket that is not empty must not be destroyed."
  }
}

run "a_key_replaces_aes256" {
  command = plan
  variables { kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/k" }
  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this["this"].rule).apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms" && one(aws_s3_bucket_server_side_encryption_configuration.this["this"].rule).apply_server_side_encryption_by_default[0].kms_master_key_id == "arn:aws:kms:us-east-1:123456789012:key/k"
    error_message = "The key must be used."
  }
}

run "who_reads_and_writes_is_written_down_where_that_is_asked_for" {
  command = plan
  variables { access_log_bucket = "example-logs" }
  assert {
    condition     = aws_s3_bucket_logging.this["this"].target_bucket == "example-logs" && aws_s3_bucket_logging.this["this"].target_prefix == "example-bucket/"
    error_message = "Below its own name in the bucket of logs."
  }
}

run "refuses_a_bucket_that_logs_into_itself" {
  command = plan
  variables { access_log_bucket = "example-bucket" }
  expect_failures = [var.access_log_bucket]
}

run "without_its_lifecycle_a_bucket_has_no_rules_and_all_else" {
  command = apply
  variables { lifecycle_enabled = false }
  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.this) == 0 && output.settings.old_versions_expire_days == null && output.settings.unfinished_uploads_end_after == null
    error_message = "No rule: ${jsonencode(output.settings)}"
  }
  assert {
    condition     = output.settings.versioning == "Enabled" && output.settings.encryption == "AES256" && output.settings.blocks_public_access
    error_message = "The rest of the bucket stays: ${jsonencode(output.settings)}"
  }
}

run "create_false_makes_nothing" {
  command = plan
  variables { create = false }
  assert {
    condition     = length(aws_s3_bucket.this) + length(aws_s3_bucket_policy.this) == 0
    error_message = "Nothing may be created."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    name                               = "Upper"
    noncurrent_version_expiration_days = 0
    tags                               = { "aws:owner" = "me" }
    kms_key_arn                        = "alias/mine"
  }
  expect_failures = [var.name, var.noncurrent_version_expiration_days, var.tags, var.kms_key_arn]
}

run "the_prefix_goes_before_the_name" {
  command = plan
  variables { name_prefix = "team" }
  assert {
    condition     = aws_s3_bucket.this["this"].bucket == "team-example-bucket"
    error_message = "The name must start with the prefix."
  }
}

run "policy_documents_read_or_write" {
  command = apply
  assert {
    condition = [for statement in jsondecode(output.policy_documents.read).Statement : "${statement.Action[0]} ${statement.Resource[0]}"] == [
      "s3:ListBucket arn:aws:s3:::example-bucket",
      "s3:GetObject arn:aws:s3:::example-bucket/*",
    ]
    error_message = "Readers list and get."
  }
  assert {
    condition     = jsondecode(output.policy_documents.write).Statement[0].Action == ["s3:PutObject"]
    error_message = "Writers put, and do not delete."
  }
}

run "each_setting_is_what_was_asked_for" {
  command = apply
  variables {
    access_log_bucket                  = "example-logs"
    noncurrent_version_expiration_days = 5
    force_destroy                      = true
    kms_key_arn                        = "arn:aws:kms:us-east-1:123456789012:key/k"
  }
  assert {
    condition = jsonencode(output.settings) == jsonencode({
      access_logs_to               = "example-logs/example-bucket/"
      blocks_public_access         = true
      encryption                   = "aws:kms"
      force_destroy                = true
      name                         = "example-bucket"
      object_ownership             = "BucketOwnerEnforced"
      old_versions_expire_days     = 5
      unfinished_uploads_end_after = 7
      versioning                   = "Enabled"
    })
    error_message = "The bucket as asked for: ${jsonencode(output.settings)}"
  }
}
