package no.couchexplorers.imagegenerator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import no.couchexplorers.imagegenerator.Client.Run;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.services.sqs.model.Message;
import software.amazon.awssdk.services.sqs.model.QueueAttributeName;

class PromptFileIT {
    @TempDir
    private Path folder;

    private LocalCloud cloud;
    private String queueUrl;

    @BeforeEach
    void makeQueue() {
        cloud = LocalCloud.running();
        queueUrl = cloud.newQueue();
    }

    @Test
    void every_line_is_sent_and_has_its_line_of_success() throws IOException {
        String prompts = IntStream.rangeClosed(1, 23)
                .mapToObj(number -> "prompt " + number + " 🦊")
                .collect(Collectors.joining("\n"));

        Run run = Client.ofRoot(cloud, queueUrl).run("--file", file(prompts));

        assertEquals("Sent 23 of 23 prompts.\n", run.err());
        assertEquals(0, run.status());
        List<Message> messages = cloud.receiveAll(queueUrl, 23);
        assertEquals(
                messages.stream()
                        .map(message -> "Message sent successfully. Message ID: " + message.messageId())
                        .collect(Collectors.toSet()),
                run.out().lines().collect(Collectors.toSet()));
        assertEquals(
                prompts.lines().collect(Collectors.toSet()),
                messages.stream().map(Message::body).collect(Collectors.toSet()));
    }

    @Test
    void standard_input_may_mix_prompts_and_jobs() {
        String job = "{\"prompt\": \"søt 狐\", \"seed\": 7, \"model\": \"amazon.nova-canvas-v1:0\"}";

        Run run = Client.ofRoot(cloud, queueUrl)
                .reading("\uFEFFa jeep\r\n\r\n" + job + "\r\n")
                .run("--file", "-", "--json");

        assertEquals(0, run.status());
        Map<String, String> ids =
                cloud.receiveAll(queueUrl, 2).stream().collect(Collectors.toMap(Message::body, Message::messageId));
        assertEquals(
                List.of(
                        "{\"line\":1,\"status\":\"sent\",\"message_id\":\"" + ids.get("a jeep") + "\"}",
                        "{\"line\":3,\"status\":\"sent\",\"message_id\":\"" + ids.get(job) + "\"}"),
                run.out().lines().toList());
    }

    @Test
    void a_message_that_the_queue_refuses_is_listed_with_its_line_and_the_others_arrive() throws IOException {
        String small = cloud.newQueue(Map.of(QueueAttributeName.MAXIMUM_MESSAGE_SIZE, "1024"));
        String prompts = IntStream.rangeClosed(1, 12)
                .mapToObj(number -> number == 7 ? "x".repeat(1025) : "prompt " + number)
                .collect(Collectors.joining("\n"));

        Run run = Client.ofRoot(cloud, small).run("--file", file(prompts));

        assertEquals(1, run.status());
        assertEquals(11, run.out().lines().count());
        assertEquals(
                List.of(
                        "Error: line 7 was not sent. SQS does not take the prompt (One or more parameters cannot be "
                                + "validated. Reason: Message must be shorter than 1024 bytes): shorten it if it is too long, or "
                                + "raise the queue's MaximumMessageSize.",
                        "Sent 11 of 12 prompts."),
                run.err().lines().toList());
        assertEquals(11, cloud.receiveAll(small, 11).size());
    }

    @Test
    void a_bad_line_keeps_all_others_from_being_sent() throws IOException {
        String file = file("a jeep\n{\"prompt\": \"x\", \"sead\": 7}\n");

        String error = Client.ofRoot(cloud, queueUrl).run("--file", file).error(2);

        assertTrue(error.startsWith("Line 2 of " + file + " has a field \"sead\" that no job has"), error);
        assertTrue(isEmpty(queueUrl));
    }

    @Test
    void batches_of_large_prompts_stay_below_the_limit_of_a_request() throws IOException {
        String prompts = IntStream.range(0, 5)
                .mapToObj(number -> number + "x".repeat(400_000))
                .collect(Collectors.joining("\n"));

        Run run = Client.ofRoot(cloud, queueUrl).run("--file", file(prompts));

        assertEquals("Sent 5 of 5 prompts.\n", run.err());
    }

    @Test
    void when_no_one_answers_every_line_is_told_as_not_sent() throws IOException {
        Run run = Client.ofRoot(cloud, queueUrl)
                .with("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
                .run("--file", file("a\nb\n\nc\n"), "--json");

        assertEquals(1, run.status());
        assertEquals(3, run.out().lines().count());
        assertTrue(
                run.out().startsWith("{\"line\":1,\"status\":\"failed\",\"reason\":\"Nothing answers at "), run.out());
        assertEquals(
                List.of(
                        "Sent 0 of 3 prompts.",
                        "Error: Nothing answers at http://127.0.0.1:1 (Connection refused): check the network, and the "
                                + "address."),
                run.err().lines().toList());
    }

    private boolean isEmpty(String url) {
        try (var sqs = cloud.sqs()) {
            return sqs.receiveMessage(request -> request.queueUrl(url))
                    .messages()
                    .isEmpty();
        }
    }

    private String file(String text) throws IOException {
        return Files.writeString(folder.resolve("prompts.txt"), text).toString();
    }
}
