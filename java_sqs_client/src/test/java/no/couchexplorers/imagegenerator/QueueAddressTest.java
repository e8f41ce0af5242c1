package no.couchexplorers.imagegenerator;

import static no.couchexplorers.imagegenerator.Failing.refusal;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URI;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class QueueAddressTest {
    private static final String PATH = "/123456789012/prompts";
    private static final String LOCAL = "http://localhost:4566/000000000000/prompts";

    @ParameterizedTest
    @CsvSource({
        "sqs.eu-west-1.amazonaws.com, eu-west-1, false, false",
        "SQS.EU-North-1.amazonaws.com, eu-north-1, false, false",
        "sqs.cn-north-1.amazonaws.com.cn, cn-north-1, false, false",
        "sqs.eusc-de-east-1.amazonaws.eu, eusc-de-east-1, false, false",
        "sqs-fips.us-east-2.amazonaws.com, us-east-2, true, false",
        "sqs.eu-west-1.api.aws, eu-west-1, false, true",
        "sqs-fips.us-west-2.api.aws, us-west-2, true, true",
        "sqs.cn-north-1.api.amazonwebservices.com.cn, cn-north-1, false, true",
        "eu-west-3.queue.amazonaws.com, eu-west-3, false, false",
        "queue.amazonaws.com, us-east-1, false, false",
    })
    void the_region_stands_in_the_host_and_the_sdk_knows_the_endpoint(
            String host, String region, boolean fips, boolean dualStack) throws UsageException {
        QueueAddress address = QueueAddress.of("https://" + host + PATH, Map.of("AWS_REGION", "ap-south-1"));

        assertEquals(region, address.region());
        assertEquals(fips, address.fips());
        assertEquals(dualStack, address.dualStack());
        assertEquals(Optional.empty(), address.endpoint());
    }

    @Test
    void an_interface_endpoint_is_asked_itself() throws UsageException {
        String origin = "https://vpce-0a1b-2c3d.sqs.eu-west-1.vpce.amazonaws.com";

        QueueAddress address = QueueAddress.of(origin + PATH, Map.of());

        assertEquals("eu-west-1", address.region());
        assertEquals(Optional.of(URI.create(origin)), address.endpoint());
    }

    @Test
    void a_host_that_is_not_of_aws_is_asked_itself() throws UsageException {
        QueueAddress address = QueueAddress.of(LOCAL, Map.of());

        assertEquals(Optional.of(URI.create("http://localhost:4566")), address.endpoint());
        assertEquals("eu-west-1", address.region());
        assertEquals("http://localhost:4566", address.server());
        assertEquals("prompts", address.name());
    }

    @Test
    void the_environment_names_the_region_where_the_host_does_not() throws UsageException {
        assertEquals(
                "eu-north-1",
                QueueAddress.of(LOCAL, Map.of("AWS_REGION", "eu-north-1")).region());
        assertEquals(
                "eu-west-1", QueueAddress.of(LOCAL, Map.of("AWS_REGION", " ")).region());
        assertEquals(
                "AWS_REGION is \"eu west\", which is no region: set one like eu-west-1.",
                refusal(() -> QueueAddress.of(LOCAL, Map.of("AWS_REGION", "eu west"))));
    }

    @ParameterizedTest
    @ValueSource(strings = {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS"})
    void an_endpoint_of_the_environment_is_left_to_the_sdk(String variable) throws UsageException {
        QueueAddress address = QueueAddress.of(LOCAL, Map.of(variable, "http://localhost:9324"));

        assertEquals(Optional.empty(), address.endpoint());
        assertEquals("http://localhost:9324", address.server());
    }

    @Test
    void an_endpoint_that_the_sdk_is_told_to_ignore_does_not_count() throws UsageException {
        Map<String, String> environment =
                Map.of("AWS_ENDPOINT_URL", "http://localhost:9324", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");

        assertTrue(QueueAddress.of(LOCAL, environment).endpoint().isPresent());
    }

    @ParameterizedTest
    @ValueSource(strings = {"localhost:4566", "", "http://", "a b"})
    void an_endpoint_that_is_no_address_is_told_by_its_name(String value) {
        assertEquals(
                "AWS_ENDPOINT_URL is \"" + value + "\", which is no address: set one like http://localhost:4566, or "
                        + "unset it.",
                refusal(() -> QueueAddress.of(LOCAL, Map.of("AWS_ENDPOINT_URL", value))));
    }

    @Test
    void blanks_around_the_url_are_taken_off() throws UsageException {
        assertEquals(LOCAL, QueueAddress.of(" " + LOCAL + "\n", Map.of()).url());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "prompts | is no URL with http:// or https:// and a host",
                "ftp://localhost/1/q | is no URL with http:// or https:// and a host",
                "https://<my queue> | is no URL (Illegal character in authority)",
                "arn:aws:sqs:eu-west-1:123456789012:prompts | is an ARN",
                "https://sqs.eu-west-1.amazonaws.com | names no queue",
                "https://sqs.eu-west-1.amazonaws.com/123456789012/ | names no queue",
                "https://sqs.eu-west-1.amazonaws.com/prompts | does not end in /<account of 12 digits>/<queue>",
                "https://sqs.eu-west-1.amazonaws.com/1234/prompts | does not end in /<account of 12 digits>/<queue>",
                "https://me:secret@localhost/1/q | holds more than a queue's URL has",
                "http://localhost:4566/1/q?Action=SendMessage | holds more than a queue's URL has",
            })
    void what_is_no_queue_url_is_shown_with_what_is_wrong(String url, String wrong) {
        String reason = refusal(() -> QueueAddress.of(url, Map.of()));

        assertTrue(reason.startsWith("The queue URL \"" + url + "\" " + wrong), reason);
        assertTrue(reason.endsWith("like https://sqs.eu-west-1.amazonaws.com/<account>/<queue>."), reason);
    }

    @Test
    void a_fifo_queue_is_refused() {
        String reason =
                refusal(() -> QueueAddress.of("https://sqs.eu-west-1.amazonaws.com" + PATH + ".fifo", Map.of()));

        assertTrue(reason.contains("is a FIFO queue"), reason);
        assertFalse(reason.contains("\n"));
    }
}
