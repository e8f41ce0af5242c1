package no.couchexplorers.imagegenerator;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class ReportTest {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private final Report text = new TextReport(stream(out), stream(err));
    private final Report json = new JsonReport(stream(out), stream(err));

    @Test
    void what_is_sent_stands_alone_on_standard_output() {
        text.sent(new Message(0, "x"), "4711");
        text.refused(new Message(7, "y"), "The prompt is longer than the queue takes: shorten it.");
        text.finished(1, 2);

        assertEquals(List.of("Message sent successfully. Message ID: 4711"), lines(out));
        assertEquals(
                List.of(
                        "Error: line 7 was not sent. The prompt is longer than the queue takes: shorten it.",
                        "Sent 1 of 2 prompts."),
                lines(err));
    }

    @Test
    void lines_that_were_never_reached_are_listed_in_ranges() {
        text.failed(messages(3, 7, 8, 9, 12), "No network.");

        assertEquals(List.of("Not sent: line 3, lines 7 to 9, line 12."), lines(err));
    }

    @Test
    void the_prompt_of_the_command_line_has_no_line_to_list() {
        text.failed(messages(0), "No network.");

        assertEquals(List.of(), lines(err));
    }

    @Test
    void a_program_reads_one_object_a_message() {
        json.sent(new Message(3, "x"), "4711");
        json.sent(new Message(0, "x"), "4712");
        json.refused(new Message(4, "y"), "No \"ø\".");
        json.failed(messages(5, 6), "No network.");
        json.finished(2, 5);

        assertEquals(
                List.of(
                        "{\"line\":3,\"status\":\"sent\",\"message_id\":\"4711\"}",
                        "{\"status\":\"sent\",\"message_id\":\"4712\"}",
                        "{\"line\":4,\"status\":\"failed\",\"reason\":\"No \\\"ø\\\".\"}",
                        "{\"line\":5,\"status\":\"failed\",\"reason\":\"No network.\"}",
                        "{\"line\":6,\"status\":\"failed\",\"reason\":\"No network.\"}"),
                lines(out));
        assertEquals(List.of("Sent 2 of 5 prompts."), lines(err));
    }

    private static List<Message> messages(int... lines) {
        return Arrays.stream(lines).mapToObj(line -> new Message(line, "x")).toList();
    }

    private static PrintStream stream(ByteArrayOutputStream bytes) {
        return new PrintStream(bytes, true, StandardCharsets.UTF_8);
    }

    private static List<String> lines(ByteArrayOutputStream bytes) {
        return bytes.toString(StandardCharsets.UTF_8).lines().toList();
    }
}
