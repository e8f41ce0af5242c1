package no.couchexplorers.imagegenerator;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Map;
import no.couchexplorers.imagegenerator.Client.Run;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.services.sqs.model.QueueAttributeName;

class LimitsIT {
    private static final int LIMIT = 1_048_576;

    private LocalCloud cloud;

    @BeforeEach
    void start() {
        cloud = LocalCloud.running();
    }

    @Test
    void a_prompt_of_exactly_one_mebibyte_arrives() {
        String queueUrl = cloud.newQueue();
        String prompt = "å".repeat(LIMIT / 2);

        Run run = Client.ofRoot(cloud, queueUrl).reading(prompt).run("--file", "-");

        assertEquals("Sent 1 of 1 prompt.\n", run.err());
        assertEquals(prompt, cloud.receive(queueUrl).body());
    }

    @Test
    void one_byte_more_is_refused_before_anything_is_sent() {
        String queueUrl = cloud.newQueue();

        String error = Client.ofRoot(cloud, queueUrl)
                .reading("å".repeat(LIMIT / 2) + "a")
                .run("--file", "-")
                .error(2);

        assertEquals(
                "Line 1 of standard input is too long: it has 1,048,577 bytes in UTF-8 and a message at most 1,048,576. "
                        + "Shorten it.",
                error);
    }

    @Test
    void a_queue_that_takes_less_says_how_much() {
        String queueUrl = cloud.newQueue(Map.of(QueueAttributeName.MAXIMUM_MESSAGE_SIZE, "1024"));
        Client client = Client.ofRoot(cloud, queueUrl);

        client.run("x".repeat(1024)).onlyLine();
        assertEquals(
                "SQS does not take the prompt (One or more parameters are invalid. Reason: Message must be shorter than "
                        + "1024 bytes): shorten it if it is too long, or raise the queue's MaximumMessageSize.",
                client.run("x".repeat(1025)).error(1));
    }
}
