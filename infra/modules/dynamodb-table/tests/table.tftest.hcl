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
      capacity               = {}
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
    condition     = length(aws_dynamodb_table.this) + length(aws_dynamodb_table.provisioned) == 0 && output.arn == null && output.policy_documents == null
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

run "on_demand_has_no_auto_scaling" {
  command = plan
  assert {
    condition     = length(aws_dynamodb_table.provisioned) == 0 && length(aws_appautoscaling_target.this) == 0 && length(aws_appautoscaling_policy.this) == 0
    error_message = "Without provisioned_capacity there is one on-demand table, and nothing else."
  }
}

run "provisioned_capacity_scales_the_table_and_each_index" {
  command = apply
  variables {
    range_key        = { name = "SK" }
    ttl_attribute    = "ttl"
    stream_view_type = "NEW_AND_OLD_IMAGES"
    kms_key_arn      = "arn:aws:kms:us-east-1:123456789012:key/k"
    tags             = { purpose = "test" }
    global_secondary_indexes = {
      GSI1 = { hash_key = { name = "GSI1PK" }, range_key = { name = "SK" }, projection_type = "INCLUDE", non_key_attributes = ["b", "a"] }
      GSI2 = { hash_key = { name = "GSI2PK" } }
    }
    local_secondary_indexes = { ByTime = { range_key = { name = "at", type = "N" }, projection_type = "INCLUDE", non_key_attributes = ["state"] } }
    provisioned_capacity    = { read = { min = 20, max = 400 }, write = { min = 10, max = 200 }, target_utilization = 60 }
  }
  assert {
    condition     = length(aws_dynamodb_table.this) == 0 && length(aws_dynamodb_table.provisioned) == 1 && length(aws_appautoscaling_target.this) == 6 && length(aws_appautoscaling_policy.this) == 6
    error_message = "One table, and two targets with their policies for the table and for each index."
  }
  assert {
    condition = { for key, target in aws_appautoscaling_target.this : key => join(" ", [target.service_namespace, target.resource_id, target.scalable_dimension, target.min_capacity, target.max_capacity]) } == {
      "index/GSI1/read"  = "dynamodb table/example/index/GSI1 dynamodb:index:ReadCapacityUnits 20 400"
      "index/GSI1/write" = "dynamodb table/example/index/GSI1 dynamodb:index:WriteCapacityUnits 10 200"
      "index/GSI2/read"  = "dynamodb table/example/index/GSI2 dynamodb:index:ReadCapacityUnits 20 400"
      "index/GSI2/write" = "dynamodb table/example/index/GSI2 dynamodb:index:WriteCapacityUnits 10 200"
      "table/read"       = "dynamodb table/example dynamodb:table:ReadCapacityUnits 20 400"
      "table/write"      = "dynamodb table/example dynamodb:table:WriteCapacityUnits 10 200"
    }
    error_message = "Reads and writes have limits of their own: ${jsonencode(output.settings.capacity)}"
  }
  assert {
    condition = { for key, policy in aws_appautoscaling_policy.this : key => join(" ", [
      policy.name, policy.policy_type, policy.resource_id, policy.scalable_dimension, policy.target_tracking_scaling_policy_configuration[0].target_value,
      ]) } == { for key, target in aws_appautoscaling_target.this : key => join(" ", [
      "DynamoDB${endswith(key, "read") ? "Read" : "Write"}CapacityUtilization:${target.resource_id}", "TargetTrackingScaling", target.resource_id, target.scalable_dimension, 60,
    ]) }
    error_message = "Each policy belongs to its target."
  }
  assert {
    condition     = alltrue([for key, policy in aws_appautoscaling_policy.this : policy.target_tracking_scaling_policy_configuration[0].predefined_metric_specification[0].predefined_metric_type == "DynamoDB${endswith(key, "read") ? "Read" : "Write"}CapacityUtilization"])
    error_message = "Reads follow the use of read capacity, writes that of write capacity."
  }
  assert {
    condition     = aws_dynamodb_table.provisioned["this"].read_capacity == 20 && aws_dynamodb_table.provisioned["this"].write_capacity == 10 && alltrue([for index in aws_dynamodb_table.provisioned["this"].global_secondary_index : index.read_capacity == 20 && index.write_capacity == 10])
    error_message = "A new table and its indexes start with the least capacity."
  }
  assert {
    condition = jsonencode(output.settings) == jsonencode({
      attributes   = { GSI1PK = "S", GSI2PK = "S", PK = "S", SK = "S", at = "N" }
      billing_mode = "PROVISIONED"
      capacity = {
        "index/GSI1/read"  = "20 to 400 at 60 % (dynamodb:index:ReadCapacityUnits)"
        "index/GSI1/write" = "10 to 200 at 60 % (dynamodb:index:WriteCapacityUnits)"
        "index/GSI2/read"  = "20 to 400 at 60 % (dynamodb:index:ReadCapacityUnits)"
        "index/GSI2/write" = "10 to 200 at 60 % (dynamodb:index:WriteCapacityUnits)"
        "table/read"       = "20 to 400 at 60 % (dynamodb:table:ReadCapacityUnits)"
        "table/write"      = "10 to 200 at 60 % (dynamodb:table:WriteCapacityUnits)"
      }
      deletion_protection = true
      indexes = {
        GSI1 = { attributes = ["a", "b"], keys = ["GSI1PK", "SK"], projection = "INCLUDE" }
        GSI2 = { attributes = [], keys = ["GSI2PK"], projection = "KEYS_ONLY" }
      }
      keys                   = ["PK", "SK"]
      kms_key_arns           = ["arn:aws:kms:us-east-1:123456789012:key/k"]
      name                   = "example"
      point_in_time_recovery = true
      stream                 = "NEW_AND_OLD_IMAGES"
      ttl_attributes         = ["ttl"]
    })
    error_message = "Everything else is as for an on-demand table: ${jsonencode(output.settings)}"
  }
  assert {
    condition     = aws_dynamodb_table.provisioned["this"].table_class == "STANDARD" && aws_dynamodb_table.provisioned["this"].tags == tomap({ purpose = "test" }) && alltrue([for target in aws_appautoscaling_target.this : target.tags == tomap({ purpose = "test" })])
    error_message = "Class and tags as asked for."
  }
  assert {
    condition     = [for index in aws_dynamodb_table.provisioned["this"].local_secondary_index : jsonencode([index.name, index.range_key, index.projection_type, coalesce(index.non_key_attributes, [])])] == [jsonencode(["ByTime", "at", "INCLUDE", ["state"]])]
    error_message = "The local index as asked for."
  }
  assert {
    condition     = output.name == "example" && output.arn == "arn:aws:dynamodb:us-east-1:123456789012:table/example" && output.stream_arn == "${output.arn}/stream/2026" && output.index_arns.GSI1 == "${output.arn}/index/GSI1" && contains(jsondecode(output.policy_documents.read).Statement[0].Resource, output.index_arns.GSI2)
    error_message = "The outputs are those of the table that exists."
  }
}

run "a_change_of_indexes_that_would_be_ignored_is_refused" {
  command = plan
  variables {
    range_key        = { name = "SK" }
    ttl_attribute    = "ttl"
    stream_view_type = "NEW_AND_OLD_IMAGES"
    kms_key_arn      = "arn:aws:kms:us-east-1:123456789012:key/k"
    tags             = { purpose = "test" }
    global_secondary_indexes = {
      GSI1 = { hash_key = { name = "GSI1PK" }, range_key = { name = "SK" }, projection_type = "INCLUDE", non_key_attributes = ["a", "b"] }
      GSI3 = { hash_key = { name = "GSI2PK" } }
    }
    local_secondary_indexes = { ByTime = { range_key = { name = "at", type = "N" }, projection_type = "INCLUDE", non_key_attributes = ["state"] } }
    provisioned_capacity    = { read = { min = 20, max = 400 }, write = { min = 10, max = 200 }, target_utilization = 60 }
  }
  expect_failures = [aws_dynamodb_table.provisioned]
}

run "more_capacity_changes_auto_scaling_and_not_the_table" {
  command = plan
  variables {
    range_key        = { name = "SK" }
    ttl_attribute    = "ttl"
    stream_view_type = "NEW_AND_OLD_IMAGES"
    kms_key_arn      = "arn:aws:kms:us-east-1:123456789012:key/k"
    tags             = { purpose = "test" }
    global_secondary_indexes = {
      GSI1 = { hash_key = { name = "GSI1PK" }, range_key = { name = "SK" }, projection_type = "INCLUDE", non_key_attributes = ["b", "a"] }
      GSI2 = { hash_key = { name = "GSI2PK" } }
    }
    local_secondary_indexes = { ByTime = { range_key = { name = "at", type = "N" }, projection_type = "INCLUDE", non_key_attributes = ["state"] } }
    provisioned_capacity    = { read = { min = 50, max = 500 }, write = { min = 30, max = 300 } }
  }
  assert {
    condition     = aws_dynamodb_table.provisioned["this"].read_capacity == 20 && aws_dynamodb_table.provisioned["this"].write_capacity == 10 && alltrue([for index in aws_dynamodb_table.provisioned["this"].global_secondary_index : index.read_capacity == 20 && index.write_capacity == 10])
    error_message = "Terraform must not undo what auto scaling has set."
  }
  assert {
    condition     = output.settings.capacity["index/GSI2/write"] == "30 to 300 at 70 % (dynamodb:index:WriteCapacityUnits)" && output.settings.capacity["table/read"] == "50 to 500 at 70 % (dynamodb:table:ReadCapacityUnits)"
    error_message = "The limits change in place, and 70 % is the default."
  }
}

run "refuses_no_capacity_and_a_utilization_that_dynamodb_does_not_allow" {
  command = plan
  variables { provisioned_capacity = { read = { min = 0, max = 10 }, write = { min = 1, max = 10 }, target_utilization = 95 } }
  # One for the capacity, one for the utilization.
  expect_failures = [var.provisioned_capacity, var.provisioned_capacity]
}

run "refuses_a_maximum_below_the_minimum" {
  command = plan
  variables { provisioned_capacity = { read = { min = 5, max = 10 }, write = { min = 5, max = 4 } } }
  expect_failures = [var.provisioned_capacity]
}

run "refuses_a_part_of_a_unit" {
  command = plan
  variables { provisioned_capacity = { read = { min = 5, max = 10 }, write = { min = 1.5, max = 4 } } }
  expect_failures = [var.provisioned_capacity]
}

run "refuses_a_utilization_that_is_too_low" {
  command = plan
  variables { provisioned_capacity = { read = { min = 5, max = 10 }, write = { min = 1, max = 4 }, target_utilization = 19 } }
  expect_failures = [var.provisioned_capacity]
}

run "refuses_a_limit_of_on_demand_tables_with_provisioned_capacity" {
  command = plan
  variables {
    provisioned_capacity = { read = { min = 5, max = 10 }, write = { min = 5, max = 10 } }
    max_request_units    = { read = 10 }
  }
  expect_failures = [var.provisioned_capacity]
}

run "refuses_replicas_with_provisioned_capacity" {
  command = plan
  variables {
    provisioned_capacity = { read = { min = 5, max = 10 }, write = { min = 5, max = 10 } }
    stream_view_type     = "NEW_AND_OLD_IMAGES"
    replicas             = { eu-central-1 = {} }
  }
  expect_failures = [var.provisioned_capacity]
}
