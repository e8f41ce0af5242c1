package no.couchexplorers.imagegenerator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import no.couchexplorers.imagegenerator.FakeSqs.Failure;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class DeliveryTest {
    private static final Failure BUSY = new Failure("InternalError", "Try again.", false);
    private static final Failure WRONG = new Failure("InvalidMessageContents", "Wrong character.", true);

    private final FakeSqs sqs = new FakeSqs();
    private final List<String> told = new ArrayList<>();
    private final List<Integer> pauses = new ArrayList<>();

    @AfterEach
    void stop() {
        sqs.close();
    }

    @Test
    void twelve_messages_go_in_two_batches_in_their_order() throws Exception {
        Delivery delivery = deliver(lines(12));

        assertTrue(delivery.isComplete());
        assertEquals(List.of(10, 2), sqs.batches().stream().map(List::size).toList());
        assertEquals("sent 1: id of line 1", told.get(0));
        assertEquals("sent 12: id of line 12", told.get(11));
        assertEquals("12 of 12", told.get(12));
        assertEquals(List.of(), pauses);
    }

    @Test
    void a_message_that_sqs_failed_to_store_is_sent_again_alone() throws Exception {
        sqs.failing("line 2", BUSY, BUSY);

        Delivery delivery = deliver(lines(3));

        assertTrue(delivery.isComplete());
        assertEquals(
                List.of(List.of("line 1", "line 2", "line 3"), List.of("line 2"), List.of("line 2")), sqs.batches());
        assertEquals(List.of("sent 1: id of line 1", "sent 3: id of line 3", "sent 2: id of line 2", "3 of 3"), told);
        assertEquals(List.of(2, 3), pauses);
    }

    @Test
    void after_four_attempts_it_is_given_up_and_the_others_still_go() throws Exception {
        sqs.failing("line 2", BUSY, BUSY, BUSY, BUSY, BUSY);

        Delivery delivery = deliver(lines(11));

        assertFalse(delivery.isComplete());
        assertEquals(Delivery.ATTEMPTS + 1, sqs.batches().size());
        assertTrue(
                told.contains("refused 2: AWS has a fault of its own (Try again): try again later."), told.toString());
        assertEquals("10 of 11", told.get(told.size() - 1));
    }

    @Test
    void a_message_that_sqs_finds_wrong_is_not_sent_again() throws Exception {
        sqs.failing("line 1", WRONG);

        Delivery delivery = deliver(lines(2));

        assertFalse(delivery.isComplete());
        assertEquals(1, sqs.batches().size());
        assertEquals(
                List.of(
                        "refused 1: The prompt holds a character that SQS does not take: remove it.",
                        "sent 2: id of line 2",
                        "1 of 2"),
                told);
    }

    @Test
    void a_batch_that_is_too_long_for_the_queue_is_cut_in_halves() throws Exception {
        sqs.takingAtMost("line 1line 2".length());

        Delivery delivery = deliver(lines(5));

        assertTrue(delivery.isComplete());
        assertEquals("5 of 5", told.get(told.size() - 1));
    }

    @Test
    void a_message_that_is_too_long_by_itself_is_refused_and_the_others_still_go() throws Exception {
        sqs.takingAtMost("line 9".length());

        Delivery delivery = deliver(lines(10));

        assertFalse(delivery.isComplete());
        assertTrue(
                told.contains("refused 10: The prompt is longer than the queue takes: shorten it."), told.toString());
        assertEquals("9 of 10", told.get(told.size() - 1));
    }

    @Test
    void when_a_request_is_refused_nothing_more_is_tried_and_the_rest_is_pending() throws Exception {
        sqs.failing("line 4", BUSY).denyingFromRequest(2);
        Delivery delivery = new Delivery(lines(12), new Told(), pauses::add);

        try (Queue queue = sqs.queue()) {
            NotSentException error = assertThrows(NotSentException.class, () -> delivery.sendAll(queue));

            assertTrue(
                    error.getMessage().startsWith("AWS denies sending to the queue \"prompts\""), error.getMessage());
        }
        assertEquals(2, sqs.batches().size());
        assertEquals("9 of 12", told.get(told.size() - 1));
        assertEquals(
                List.of(4, 11, 12),
                delivery.pending().stream().map(Message::line).toList());
        assertFalse(delivery.isComplete());
    }

    private Delivery deliver(List<Message> messages) throws UsageException, NotSentException {
        Delivery delivery = new Delivery(messages, new Told(), pauses::add);
        try (Queue queue = sqs.queue()) {
            delivery.sendAll(queue);
        }
        return delivery;
    }

    private static List<Message> lines(int count) {
        return IntStream.rangeClosed(1, count)
                .mapToObj(line -> new Message(line, "line " + line))
                .toList();
    }

    /** Keeps what is reported. */
    private final class Told implements Report {
        @Override
        public void sent(Message message, String messageId) {
            told.add("sent " + message.line() + ": " + messageId);
        }

        @Override
        public void refused(Message message, String reason) {
            told.add("refused " + message.line() + ": " + reason);
        }

        @Override
        public void failed(List<Message> messages, String reason) {
            told.add("failed " + messages.size());
        }

        @Override
        public void finished(int sent, int total) {
            told.add(sent + " of " + total);
        }
    }
}
