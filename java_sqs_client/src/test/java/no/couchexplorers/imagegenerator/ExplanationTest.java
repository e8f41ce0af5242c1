package no.couchexplorers.imagegenerator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.util.Map;
import java.util.Optional;
import javax.net.ssl.SSLHandshakeException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import software.amazon.awssdk.awscore.exception.AwsErrorDetails;
import software.amazon.awssdk.core.exception.SdkClientException;
import software.amazon.awssdk.services.sqs.model.SqsException;

class ExplanationTest {
    private QueueAddress address;
    private Optional<ProxyServer> proxy = Optional.empty();

    @BeforeEach
    void read() throws UsageException {
        address = QueueAddress.of("https://sqs.eu-west-1.amazonaws.com/123456789012/prompts", Map.of());
    }

    @ParameterizedTest
    @CsvSource({
        "AWS.SimpleQueueService.NonExistentQueue, does not exist in eu-west-1",
        "QueueDoesNotExist, does not exist in eu-west-1",
        "AccessDenied, let these credentials do sqs:SendMessage",
        "AccessDeniedException, (what AWS said)",
        "InvalidClientTokenId, set AWS_SESSION_TOKEN too",
        "UnrecognizedClientException, check AWS_ACCESS_KEY_ID",
        "SignatureDoesNotMatch, check AWS_SECRET_ACCESS_KEY",
        "ExpiredToken, get new ones",
        "InvalidMessageContents, remove it",
        "AWS.SimpleQueueService.BatchRequestTooLong, shorten it",
        "InvalidParameterValue, (what AWS said)",
        "RequestThrottled, try again later",
        "KmsAccessDenied, The key that encrypts the queue",
        "SomethingNew, AWS refuses the request (what AWS said).",
    })
    void each_code_of_sqs_becomes_a_sentence_that_says_what_to_do(String code, String part) {
        String sentence = Explanation.ofCode(code, "what AWS said.", address);

        assertTrue(sentence.contains(part), sentence);
        assertTrue(sentence.endsWith("."), sentence);
        assertEquals(1, sentence.lines().count());
    }

    @Test
    void a_code_without_a_message_and_no_code_at_all_are_told_too() {
        assertEquals("AWS refuses the request (SomethingNew).", Explanation.ofCode("SomethingNew", null, address));
        assertEquals("AWS refuses the request.", Explanation.ofCode(null, null, address));
    }

    @Test
    void a_fault_of_aws_is_not_put_on_the_user() {
        SqsException fault = (SqsException) SqsException.builder()
                .statusCode(503)
                .awsErrorDetails(AwsErrorDetails.builder()
                        .errorCode("ServiceUnavailable")
                        .errorMessage("Slow down.")
                        .build())
                .build();

        assertEquals(
                "AWS has a fault of its own (Slow down): try again later.",
                Explanation.of(fault, address, Optional.empty()));
    }

    @Test
    void an_error_that_aws_did_not_describe_is_told_by_its_status() {
        SqsException fault =
                (SqsException) SqsException.builder().statusCode(502).build();

        assertEquals(
                "AWS has a fault of its own (status 502): try again later.",
                Explanation.of(fault, address, Optional.empty()));
    }

    @Test
    void what_goes_wrong_on_the_way_is_told_with_the_address() {
        String server = "https://sqs.eu-west-1.amazonaws.com";

        assertEquals(
                "The host of " + server + " is not found: check the network, and the address.",
                explained(new UnknownHostException("sqs.eu-west-1.amazonaws.com")));
        assertEquals(
                "No answer comes from " + server + ": check the network, and the address.",
                explained(new SocketTimeoutException("Read timed out")));
        assertEquals(
                "Nothing answers at " + server + " (Connection refused): check the network, and the address.",
                explained(new ConnectException("Connection refused")));
        assertEquals(
                "Nothing answers at " + server + " (No route to host): check the network, and the address.",
                explained(new NoRouteToHostException("No route to host")));
        assertTrue(explained(new SSLHandshakeException("PKIX path building failed"))
                .startsWith("No safe connection to " + server + " comes about (PKIX path building failed)"));
        assertEquals(
                "The request to " + server + " failed (Unable to execute): try again, --debug shows more.",
                explained(null));
    }

    @Test
    void a_proxy_on_the_way_is_named_with_its_variable_and_without_its_password() throws UsageException {
        String server = "https://sqs.eu-west-1.amazonaws.com";
        proxy = Optional.of(ProxyServer.of("HTTPS_PROXY", "http://me:s3cret@proxy.example:3128"));
        String named = "the proxy http://proxy.example:3128, which HTTPS_PROXY names";

        assertEquals(
                "Nothing answers at " + named + " for " + server + " (Connection refused): check the proxy, unset "
                        + "HTTPS_PROXY, or except the host by NO_PROXY.",
                explained(new ConnectException("Connection refused")));
        assertEquals(
                "The host of " + named + ", is not found: check the variable.",
                explained(new UnknownHostException("proxy.example")));
        assertEquals(
                "No answer comes from " + server + " through " + named
                        + ",: check the network, and the address of the proxy.",
                explained(new SocketTimeoutException("Read timed out")));
        assertEquals(
                "The proxy http://proxy.example:3128, which HTTPS_PROXY names, does not let the request to " + server
                        + " through (Unable to tunnel through proxy. Proxy returns HTTP/1.1 407 Proxy Authentication "
                        + "Required): write its user and password into HTTPS_PROXY, http://user:password@host:port.",
                explained(new IOException("Unable to tunnel through proxy. Proxy returns \"HTTP/1.1 407 Proxy "
                        + "Authentication Required\"")));
    }

    @ParameterizedTest
    @CsvSource({"407, user and password", "403, by NO_PROXY", "502, by NO_PROXY", "503, by NO_PROXY"})
    void an_answer_that_aws_did_not_describe_is_the_proxys(int status, String advice) throws UsageException {
        proxy = Optional.of(ProxyServer.of("http_proxy", "proxy.example"));
        SqsException answer =
                (SqsException) SqsException.builder().statusCode(status).build();

        String sentence = Explanation.of(answer, address, proxy);

        assertTrue(sentence.startsWith("The proxy http://proxy.example:80, which http_proxy names, "), sentence);
        assertTrue(sentence.contains(advice), sentence);
    }

    @Test
    void long_values_are_shown_short_and_on_one_line() {
        assertEquals("\"a b\"", Explanation.quoted("a\n b"));
        assertEquals("x".repeat(77) + "...", Explanation.shortened("x".repeat(81)));
        assertEquals("🦊".repeat(77) + "...", Explanation.shortened("🦊".repeat(100)));
    }

    private String explained(Throwable cause) {
        return Explanation.of(
                SdkClientException.create("Unable to execute.", cause == null ? null : new RuntimeException(cause)),
                address,
                proxy);
    }
}
