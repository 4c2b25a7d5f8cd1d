/* SPDX-License-Identifier: GPL-2.0-only */
/* Signatures of requests, by what the providers have published of theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/sign.h"

#define AWS_DAY INT64_C(1440938160) /* 2015-08-30T12:36:00Z */
#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define AWS_CREDENTIAL \
	"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
#define STS_TOKEN                                                                                 \
	"AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXm" \
	"xfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburE"   \
	"Dy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL6" \
	"4lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="

static char aws_secret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
static char aws_id[] = "AKIDEXAMPLE";

/*
 * AWS Signature Version 4 test suite, of which these have no path to normalise:
 * https://github.com/awslabs/aws-c-auth/tree/495329c2433034bd8fd53fc6ba9e0202d3fac876/tests/aws-signing-test-suite/v4
 */
static const struct {
	const char *name, *method, *query, *headers[5], *body, *expected;
} aws_cases[] = {
	{ "get-vanilla",
	  "GET",
	  "",
	  { "host:example.amazonaws.com", "x-amz-date:20150830T123600Z" },
	  "",
	  AWS_CREDENTIAL
	  "SignedHeaders=host;x-amz-date, "
	  "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
	{ "get-vanilla-query-order-key-case",
	  "GET",
	  "Param1=value1&Param2=value2",
	  { "host:example.amazonaws.com", "x-amz-date:20150830T123600Z" },
	  "",
	  AWS_CREDENTIAL
	  "SignedHeaders=host;x-amz-date, "
	  "Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
	{ "post-x-www-form-urlencoded",
	  "POST",
	  "",
	  { "content-length:13", "content-type:application/x-www-form-urlencoded",
	    "host:example.amazonaws.com",
	    "x-amz-content-sha256:9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e",
	    "x-amz-date:20150830T123600Z" },
	  "Param1=value1",
	  AWS_CREDENTIAL
	  "SignedHeaders=content-length;content-type;host;x-amz-content-sha256;"
	  "x-amz-date, "
	  "Signature=d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b" },
	{ "post-sts-header-before",
	  "POST",
	  "",
	  { "host:example.amazonaws.com", "x-amz-date:20150830T123600Z",
	    "x-amz-security-token:" STS_TOKEN },
	  "",
	  AWS_CREDENTIAL
	  "SignedHeaders=host;x-amz-date;x-amz-security-token, "
	  "Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead" },
};

static void test_aws4(void **state)
{
	const struct cloud_keys keys = { .id = aws_id, .secret = aws_secret };

	(void)state;
	for (size_t i = 0; i < sizeof(aws_cases) / sizeof(aws_cases[0]); i++) {
		struct sign_request request = {
			.method = aws_cases[i].method,
			.path = "/",
			.query = aws_cases[i].query,
			.headers = aws_cases[i].headers,
			.body = aws_cases[i].body,
			.body_len = strlen(aws_cases[i].body),
		};
		char *line;

		while (request.n_headers < 5 && aws_cases[i].headers[request.n_headers])
			request.n_headers++;
		line = sign_aws4(&request, &keys, "us-east-1", "service", AWS_DAY);
		assert_non_null(line);
		assert_string_equal(line, aws_cases[i].expected);
		free(line);
	}
}

/*
 * Tencent Cloud's own example: https://www.tencentcloud.com/document/api/213/33224 ("Signature
 * v3", DescribeInstances by POST, 2019-02-25).
 */
static void test_tc3(void **state)
{
	static const char *const headers[] = { "content-type:application/json; charset=utf-8",
					       "host:cvm.tencentcloudapi.com" };
	static const char body[] =
		"{\"Limit\": 1, \"Filters\": [{\"Values\": [\"\\u672a\\u547d\\u540d\"], "
		"\"Name\": \"instance-name\"}]}";
	static char id[] = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE";
	static char secret[] = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE";
	const struct cloud_keys keys = { .id = id, .secret = secret };
	const struct sign_request request = { "POST", "/", "", headers, 2, body, strlen(body) };
	char *line = sign_tc3(&request, &keys, "cvm", 1551113065);

	(void)state;
	assert_non_null(line);
	assert_string_equal(
		line,
		"TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/"
		"tc3_request, SignedHeaders=content-type;host, "
		"Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168");
	free(line);
}

/*
 * Alibaba Cloud's own example, "fixed parameters":
 * https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature
 */
static void test_acs3(void **state)
{
	static const char *const headers[] = {
		"host:ecs.cn-shanghai.aliyuncs.com",
		"x-acs-action:RunInstances",
		"x-acs-content-sha256:" EMPTY_HASH,
		"x-acs-date:2023-10-26T10:22:32Z",
		"x-acs-signature-nonce:3156853299f313e23d1673dc12e1703d",
		"x-acs-version:2014-05-26",
	};
	static char id[] = "YourAccessKeyId", secret[] = "YourAccessKeySecret";
	const struct cloud_keys keys = { .id = id, .secret = secret };
	const struct sign_request request = {
		"POST",
		"/",
		"ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai",
		headers,
		6,
		"",
		0,
	};
	char *line = sign_acs3(&request, &keys);

	(void)state;
	assert_non_null(line);
	assert_string_equal(
		line, "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;"
		      "x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,"
		      "Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0");
	free(line);
}

static void test_times(void **state)
{
	char basic[17], extended[21];

	(void)state;
	sign_time_basic(AWS_DAY, basic);
	sign_time_extended(AWS_DAY, extended);
	assert_string_equal(basic, "20150830T123600Z");
	assert_string_equal(extended, "2015-08-30T12:36:00Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_aws4),
		cmocka_unit_test(test_tc3),
		cmocka_unit_test(test_acs3),
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
