package no.couchexplorers.imagegenerator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.services.iam.IamClient;
import software.amazon.awssdk.services.iam.model.AccessKey;

class ErrorSentencesIT {
    private LocalCloud cloud;
    private String queueUrl;
    private Client client;

    @BeforeEach
    void makeQueue() {
        cloud = LocalCloud.running();
        queueUrl = cloud.newQueue();
        client = Client.ofRoot(cloud, queueUrl);
    }

    @Test
    void no_prompt() {
        assertEquals(
                "No prompt is given: write it in quotes, imagegenerator \"me on top of a pyramid\", or name a file of "
                        + "prompts with --file.",
                client.run().error(2));
    }

    @Test
    void no_queue_url() {
        assertEquals(
                "No queue is given: set SQS_QUEUE_URL to the queue's URL, "
                        + "https://sqs.eu-west-1.amazonaws.com/<account>/<queue>, or give it with --queue-url.",
                client.without("SQS_QUEUE_URL").run("a jeep").error(2));
    }

    @Test
    void a_malformed_queue_url() {
        assertEquals(
                "The queue URL \"prompts\" is no URL with http:// or https:// and a host: give the URL that SQS shows for "
                        + "the queue, like https://sqs.eu-west-1.amazonaws.com/<account>/<queue>.",
                client.with("SQS_QUEUE_URL", "prompts").run("a jeep").error(2));
    }

    @Test
    void no_credentials() {
        assertEquals(
                "No AWS credentials are found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or choose a profile with "
                        + "AWS_PROFILE.",
                client.without("AWS_ACCESS_KEY_ID").run("a jeep").error(1));
    }

    @Test
    void a_queue_that_does_not_exist() {
        assertEquals(
                "The queue \"gone\" does not exist in eu-west-1 (http://127.0.0.1/000000000000/gone): check the queue URL.",
                client.with("SQS_QUEUE_URL", "http://127.0.0.1/000000000000/gone")
                        .run("a jeep")
                        .error(1));
    }

    @Test
    void an_identity_that_may_not_send() {
        String user = LocalCloud.newName();
        try (IamClient iam = cloud.iam()) {
            iam.createUser(request -> request.userName(user));
            AccessKey key =
                    iam.createAccessKey(request -> request.userName(user)).accessKey();

            String error = client.withKeys(key.accessKeyId(), key.secretAccessKey())
                    .run("a jeep")
                    .error(1);

            assertTrue(error.startsWith("AWS denies sending to the queue \"client-test-"), error);
            assertTrue(error.contains("user/" + user + " is not authorized to perform: sqs:sendmessage"), error);
            assertTrue(
                    error.endsWith(": let these credentials do sqs:SendMessage on it, in their policy or the queue's."),
                    error);

            assertEquals(
                    "AWS does not accept the signature: check AWS_SECRET_ACCESS_KEY and this machine's clock.",
                    client.withKeys(key.accessKeyId(), "wrong").run("a jeep").error(1));
        }
    }

    @Test
    void an_access_key_that_no_one_has() {
        assertEquals(
                "AWS does not know the access key: check AWS_ACCESS_KEY_ID, and set AWS_SESSION_TOKEN too if the key is "
                        + "temporary.",
                client.withKeys("AKIAIOSFODNN7EXAMPLE", "x").run("a jeep").error(1));
    }

    @Test
    void no_one_who_answers() {
        assertEquals(
                "Nothing answers at http://127.0.0.1:1 (Connection refused): check the network, and the address.",
                client.with("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
                        .run("a jeep")
                        .error(1));
    }

    @Test
    void a_host_that_is_not_found() {
        assertEquals(
                "The host of http://nowhere.invalid:4566 is not found: check the network, and the address.",
                client.with("AWS_ENDPOINT_URL", "http://nowhere.invalid:4566")
                        .run("a jeep")
                        .error(1));
    }

    @Test
    void an_endpoint_that_is_no_address() {
        assertEquals(
                "AWS_ENDPOINT_URL is \"localhost\", which is no address: set one like http://localhost:4566, or unset it.",
                client.with("AWS_ENDPOINT_URL", "localhost").run("a jeep").error(2));
    }

    @Test
    void a_stack_trace_comes_only_on_demand() {
        Client.Run run = client.without("AWS_ACCESS_KEY_ID").run("--debug", "a jeep");

        assertEquals(1, run.status());
        assertEquals("", run.out());
        assertTrue(run.err().startsWith("Error: No AWS credentials are found"), run.err());
        assertTrue(run.err().contains("\tat no.couchexplorers.imagegenerator."), run.err());
    }
}
