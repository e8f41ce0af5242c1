package no.couchexplorers.imagegenerator;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import software.amazon.awssdk.services.sqs.model.Message;

class SinglePromptIT {
    private static final String SUCCESS = "Message sent successfully. Message ID: ";

    private LocalCloud cloud;
    private String queueUrl;

    @BeforeEach
    void makeQueue() {
        cloud = LocalCloud.running();
        queueUrl = cloud.newQueue();
    }

    @Test
    void the_prompt_arrives_bare_under_the_id_that_is_printed() {
        String line =
                Client.ofRoot(cloud, queueUrl).run("me on top of a pyramid").onlyLine();

        Message message = cloud.receive(queueUrl);
        assertEquals(SUCCESS + message.messageId(), line);
        assertEquals("me on top of a pyramid", message.body());
    }

    @ParameterizedTest
    @ValueSource(strings = {"C.UTF-8", "C"})
    void a_prompt_in_any_script_arrives_byte_for_byte_whatever_the_locale(String locale) {
        String prompt = "Blåbær på fjellet 🦊👩‍👩‍👧 — 富士山の夜明け \"quoted\" \\ 'x' <&> \t é";

        Client.ofRoot(cloud, queueUrl).with("LC_ALL", locale).run(prompt).onlyLine();

        assertArrayEquals(
                prompt.getBytes(StandardCharsets.UTF_8),
                cloud.receive(queueUrl).body().getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void the_queue_may_be_given_as_an_option() {
        Client.ofRoot(cloud, queueUrl)
                .without("SQS_QUEUE_URL")
                .run("--queue-url", queueUrl, "a jeep")
                .onlyLine();

        assertEquals("a jeep", cloud.receive(queueUrl).body());
    }

    @Test
    void without_an_endpoint_the_queue_is_asked_where_its_url_is() {
        String here = cloud.endpoint() + queueUrl.substring(queueUrl.indexOf('/', "http://".length()));

        Client.ofRoot(cloud, here).without("AWS_ENDPOINT_URL").run("a jeep").onlyLine();

        assertEquals("a jeep", cloud.receive(queueUrl).body());
    }

    @Test
    void the_region_of_the_queues_url_is_signed_for_and_its_endpoint_overridden_by_the_environment() {
        String name = queueUrl.substring(queueUrl.lastIndexOf('/') + 1);
        String url = "https://sqs.eu-west-1.amazonaws.com/000000000000/" + name;

        Client.ofRoot(cloud, url).with("AWS_REGION", "us-east-1").run("a jeep").onlyLine();

        assertEquals("a jeep", cloud.receive(queueUrl).body());
    }

    @Test
    void a_job_in_json_arrives_as_it_stands() {
        String job = "{\"prompt\": \"a jeep\",  \"seed\": 7}";

        Client.ofRoot(cloud, queueUrl).run(job).onlyLine();

        assertEquals(job, cloud.receive(queueUrl).body());
    }

    @Test
    void a_program_may_have_the_id_in_json() {
        String line = Client.ofRoot(cloud, queueUrl).run("--json", "a jeep").onlyLine();

        String id = cloud.receive(queueUrl).messageId();
        assertEquals("{\"status\":\"sent\",\"message_id\":\"" + id + "\"}", line);
    }

    @Test
    void the_version_and_the_help_want_no_environment_at_all() {
        Client client = Client.withNothing();

        assertEquals(
                "imagegenerator " + System.getProperty("client.version"),
                client.run("--version").onlyLine());
        Client.Run help = client.run("--help");
        assertEquals(0, help.status());
        assertEquals("", help.err());
        assertTrue(help.out().startsWith("Usage: imagegenerator "), help.out());
    }

    @ParameterizedTest
    @ValueSource(strings = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})
    void a_proxy_is_not_asked_for_a_local_cloud(String variable) {
        Client.ofRoot(cloud, queueUrl)
                .with(variable, "http://127.0.0.1:1")
                .run("a jeep")
                .onlyLine();

        assertEquals("a jeep", cloud.receive(queueUrl).body());
    }

    @Test
    void a_proxy_that_does_not_answer_is_named() {
        String error = Client.ofRoot(cloud, queueUrl)
                .with("AWS_ENDPOINT_URL", "https://sqs.eu-west-1.amazonaws.com")
                .with("HTTPS_PROXY", "http://me:secret@127.0.0.1:1")
                .run("a jeep")
                .error(1);

        assertEquals(
                "Nothing answers at the proxy http://127.0.0.1:1, which HTTPS_PROXY names for "
                        + "https://sqs.eu-west-1.amazonaws.com (Connection refused): check the proxy, unset HTTPS_PROXY, or "
                        + "except the host by NO_PROXY.",
                error);
    }

    @Test
    void a_proxy_that_is_no_address_is_told_before_anything_is_asked() {
        String error = Client.ofRoot(cloud, queueUrl)
                .with("AWS_ENDPOINT_URL", "http://queue.example:9324")
                .with("HTTP_PROXY", "http://me:secret@proxy.example:port")
                .run("a jeep")
                .error(2);

        assertEquals(
                "HTTP_PROXY is \"***@proxy.example:port\", which is no address of a proxy: set one like "
                        + "http://proxy.example:3128, or unset it.",
                error);
    }
}
