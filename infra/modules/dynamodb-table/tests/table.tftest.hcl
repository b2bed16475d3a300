mock_provider "aws" {
  mock_resource "aws_dynamodb_table" {
    defaults = { arn = "arn:aws:dynamodb:us-east-1:123456789012:table/example", stream_arn = "arn:aws:dynamodb:us-east-1:123456789012:table/example/stream/2026" }
  }
}

variables {
  name     = "example"
  hash_key = { name = "PK" }
}

run "defaults_are_safe" {
  command = plan
  assert {
    condition     = aws_dynamodb_table.this["this"].deletion_protection_enabled && aws_dynamodb_table.this["this"].point_in_time_recovery[0].enabled && aws_dynamodb_table.this["this"].billing_mode == "PAY_PER_REQUEST"
    error_message = "A table must be protected, restorable and on demand by default."
  }
  assert {
    condition     = !aws_dynamodb_table.this["this"].stream_enabled && length(aws_dynamodb_table.this["this"].server_side_encryption) == 0
    error_message = "No stream and no key of one's own by default."
  }
}

run "keys_of_table_and_index_are_declared_once" {
  command = apply
  variables {
    range_key        = { name = "SK" }
    ttl_attribute    = "ttl"
    stream_view_type = "NEW_AND_OLD_IMAGES"
    kms_key_arn      = "arn:aws:kms:us-east-1:123456789012:key/k"
    global_secondary_indexes = {
      GSI1 = { hash_key = { name = "GSI1PK" }, range_key = { name = "SK" }, projection_type = "INCLUDE", non_key_attributes = ["a", "b"] }
    }
    max_request_units = { read = 100, write = 50 }
  }
  assert {
    condition     = toset([for attribute in aws_dynamodb_table.this["this"].attribute : attribute.name]) == toset(["PK", "SK", "GSI1PK"])
    error_message = "Every key attribute, and only those, must be declared."
  }
  assert {
    condition = jsonencode(output.settings) == jsonencode({
      attributes             = { GSI1PK = "S", PK = "S", SK = "S" }
      billing_mode           = "PAY_PER_REQUEST"
      deletion_protection    = true
      indexes                = { GSI1 = { attributes = ["a", "b"], keys = ["GSI1PK", "SK"], projection = "INCLUDE" } }
      keys                   = ["PK", "SK"]
      kms_key_arns           = ["arn:aws:kms:us-east-1:123456789012:key/k"]
      name                   = "example"
      point_in_time_recovery = true
      stream                 = "NEW_AND_OLD_IMAGES"
      ttl_attributes         = ["ttl"]
    })
    error_message = "Everything that was asked for: ${jsonencode(output.settings)}"
  }
  assert {
    condition     = aws_dynamodb_table.this["this"].ttl[0].attribute_name == "ttl" && aws_dynamodb_table.this["this"].ttl[0].enabled && output.stream_arn != null
    error_message = "TTL and stream must be on."
  }
  assert {
    condition     = aws_dynamodb_table.this["this"].server_side_encryption[0].kms_key_arn == "arn:aws:kms:us-east-1:123456789012:key/k" && aws_dynamodb_table.this["this"].on_demand_throughput[0].max_read_request_units == 100 && aws_dynamodb_table.this["this"].on_demand_throughput[0].max_write_request_units == 50
    error_message = "Key and brake must be set."
  }
  assert {
    condition     = output.index_arns.GSI1 == "arn:aws:dynamodb:us-east-1:123456789012:table/example/index/GSI1" && contains(jsondecode(output.policy_documents.read).Statement[0].Resource, output.index_arns.GSI1)
    error_message = "Readers need the index's own ARN."
  }
  assert {
    condition     = alltrue([for document in values(output.policy_documents) : !strcontains(document, "\"*\"") && !strcontains(document, ":*\"")])
    error_message = "The ready policy documents name actions and ARNs."
  }
}

run "create_false_makes_nothing" {
  command = plan
  variables { create = false }
  assert {
    condition     = length(aws_dynamodb_table.this) == 0 && output.arn == null && output.policy_documents == null
    error_message = "Nothing may be created."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    name                     = "a"
    ttl_attribute            = ""
    stream_view_type         = "ALL"
    global_secondary_indexes = { GSI1 = { hash_key = { name = "A" }, projection_type = "SOME" } }
    max_request_units        = { read = 0 }
    tags                     = { "aws:owner" = "me" }
    kms_key_arn              = "alias/mine"
  }
  expect_failures = [var.name, var.ttl_attribute, var.stream_view_type, var.global_secondary_indexes, var.max_request_units, var.tags, var.kms_key_arn]
}

run "refuses_include_without_attributes_and_a_key_that_expires" {
  command = plan
  variables {
    global_secondary_indexes = { GSI1 = { hash_key = { name = "A" }, projection_type = "INCLUDE" } }
    ttl_attribute            = "PK"
  }
  expect_failures = [var.global_secondary_indexes, var.ttl_attribute]
}

run "refuses_more_indexes_than_dynamodb_allows" {
  command = plan
  variables {
    global_secondary_indexes = { for i in range(21) : "GSI${i}" => { hash_key = { name = "A" } } }
  }
  expect_failures = [var.global_secondary_indexes]
}

run "the_prefix_goes_before_the_name" {
  command = plan
  variables { name_prefix = "team" }
  assert {
    condition     = aws_dynamodb_table.this["this"].name == "team-example"
    error_message = "The name must start with the prefix."
  }
}

run "refuses_an_index_key_of_an_unknown_type" {
  command = plan
  variables {
    global_secondary_indexes = { ByOwner = { hash_key = { name = "owner", type = "STRING" } } }
  }
  expect_failures = [var.global_secondary_indexes]
}

run "refuses_an_attribute_of_two_types" {
  command = plan
  variables {
    global_secondary_indexes = { ByKey = { hash_key = { name = "PK", type = "N" } } }
  }
  expect_failures = [var.global_secondary_indexes]
}

run "refuses_a_key_of_an_unknown_type" {
  command = plan
  variables { hash_key = { name = "PK", type = "X" } }
  expect_failures = [var.hash_key]
}

run "refuses_a_range_key_that_is_the_hash_key" {
  command = plan
  variables { range_key = { name = "PK" } }
  expect_failures = [var.range_key]
}

run "refuses_a_range_key_of_an_unknown_type" {
  command = plan
  variables { range_key = { name = "SK", type = "X" } }
  expect_failures = [var.range_key]
}

run "a_local_index_is_another_sort_key_of_a_partition" {
  command = apply
  variables {
    range_key = { name = "SK" }
    local_secondary_indexes = {
      ByTime = { range_key = { name = "at", type = "N" }, projection_type = "INCLUDE", non_key_attributes = ["state"] }
      ByName = { range_key = { name = "label" } }
    }
  }
  assert {
    condition = { for index in aws_dynamodb_table.this["this"].local_secondary_index : index.name => jsonencode([index.range_key, index.projection_type, coalesce(index.non_key_attributes, [])]) } == {
      ByName = jsonencode(["label", "KEYS_ONLY", []])
      ByTime = jsonencode(["at", "INCLUDE", ["state"]])
    }
    error_message = "Both indexes as asked for."
  }
  assert {
    condition     = jsonencode(output.settings.attributes) == jsonencode({ PK = "S", SK = "S", at = "N", label = "S" })
    error_message = "Their sort keys are declared with their types."
  }
  assert {
    condition     = output.index_arns.ByTime == "arn:aws:dynamodb:us-east-1:123456789012:table/example/index/ByTime" && contains(jsondecode(output.policy_documents.read).Statement[0].Resource, output.index_arns.ByTime)
    error_message = "Readers need the index's own ARN."
  }
}

run "a_class_can_be_chosen" {
  command = plan
  variables { table_class = "STANDARD_INFREQUENT_ACCESS" }
  assert {
    condition     = aws_dynamodb_table.this["this"].table_class == "STANDARD_INFREQUENT_ACCESS"
    error_message = "The class as asked for."
  }
}

run "replicas_are_restorable_and_encrypted_like_the_table" {
  command = plan
  variables {
    stream_view_type = "NEW_AND_OLD_IMAGES"
    kms_key_arn      = "arn:aws:kms:us-east-1:123456789012:key/k"
    replicas         = { eu-central-1 = { kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/r" } }
  }
  assert {
    condition     = [for replica in aws_dynamodb_table.this["this"].replica : [replica.region_name, replica.kms_key_arn, replica.point_in_time_recovery, replica.propagate_tags]] == [["eu-central-1", "arn:aws:kms:eu-central-1:123456789012:key/r", true, true]]
    error_message = "The replica has its own key, backups and tags."
  }
}

run "refuses_an_unknown_class_a_region_that_is_none_and_a_local_index_without_sort_key" {
  command = plan
  variables {
    table_class             = "COLD"
    stream_view_type        = "NEW_AND_OLD_IMAGES"
    replicas                = { Frankfurt = {} }
    local_secondary_indexes = { ByTime = { range_key = { name = "at" } } }
  }
  expect_failures = [var.table_class, var.replicas, var.local_secondary_indexes]
}

run "refuses_replicas_without_stream_and_six_local_indexes" {
  command = plan
  variables {
    range_key               = { name = "SK" }
    replicas                = { eu-central-1 = {} }
    local_secondary_indexes = { for i in range(6) : "L${i}" => { range_key = { name = "at${i}" } } }
  }
  expect_failures = [var.replicas, var.local_secondary_indexes]
}

run "refuses_a_replica_without_the_tables_protection_and_include_without_attributes" {
  command = plan
  variables {
    range_key               = { name = "SK" }
    stream_view_type        = "NEW_AND_OLD_IMAGES"
    kms_key_arn             = "arn:aws:kms:us-east-1:123456789012:key/k"
    replicas                = { eu-central-1 = {} }
    local_secondary_indexes = { ByTime = { range_key = { name = "at" }, projection_type = "INCLUDE" } }
  }
  expect_failures = [var.replicas, var.local_secondary_indexes]
}

run "refuses_a_local_index_with_a_sort_key_of_two_types" {
  command = plan
  variables {
    range_key               = { name = "SK" }
    local_secondary_indexes = { ByKey = { range_key = { name = "SK", type = "N" } } }
  }
  expect_failures = [var.local_secondary_indexes]
}
