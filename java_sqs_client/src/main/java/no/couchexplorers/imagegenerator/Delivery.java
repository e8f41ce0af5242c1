package no.couchexplorers.imagegenerator;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.IntConsumer;
import java.util.stream.Collectors;
import software.amazon.awssdk.services.sqs.model.BatchRequestTooLongException;
import software.amazon.awssdk.services.sqs.model.BatchResultErrorEntry;
import software.amazon.awssdk.services.sqs.model.SendMessageBatchResponse;
import software.amazon.awssdk.services.sqs.model.SendMessageBatchResultEntry;

/** Messages on their way to a queue, and which of them have not arrived yet. */
final class Delivery {
    /** The SDK tries a whole request three times; a single message that SQS failed to store is worth one more. */
    static final int ATTEMPTS = 4;

    private final List<Message> messages;

    /** By line, because the hash that Java makes for a record costs 30 ms at the first call. */
    private final Map<Integer, Message> pending = new LinkedHashMap<>();

    private final Report report;
    private final IntConsumer pause;
    private int sent;

    /** Makes a delivery that calls {@code pause} with 2, 3 and so on before a second, third attempt. */
    Delivery(List<Message> messages, Report report, IntConsumer pause) {
        this.messages = messages;
        this.report = report;
        this.pause = pause;
        for (Message message : messages) {
            pending.put(message.line(), message);
        }
    }

    /** The messages of which nothing has been reported. */
    List<Message> pending() {
        return List.copyOf(pending.values());
    }

    boolean isComplete() {
        return sent == messages.size();
    }

    /** Sends the only message there is. */
    void sendOne(Queue queue) throws NotSentException {
        Message message = messages.get(0);
        arrived(message, queue.send(message));
    }

    /** Sends all messages in batches; those that SQS refuses for good are reported and do not stop the others. */
    void sendAll(Queue queue) throws NotSentException {
        try {
            for (List<Message> batch : Batches.of(messages)) {
                send(queue, batch);
            }
        } finally {
            report.finished(sent, messages.size());
        }
    }

    private void send(Queue queue, List<Message> batch) throws NotSentException {
        List<Message> rest = batch;
        for (int attempt = 1; !rest.isEmpty(); attempt++) {
            if (attempt > 1) {
                pause.accept(attempt);
            }
            try {
                rest = sortOut(queue, rest, queue.send(rest), attempt == ATTEMPTS);
            } catch (NotSentException error) {
                if (!(error.getCause() instanceof BatchRequestTooLongException)) {
                    throw error;
                }
                // A queue may be set to take less than SQS does.
                sendLess(queue, rest, error.getMessage());
                return;
            }
        }
    }

    private void sendLess(Queue queue, List<Message> batch, String reason) throws NotSentException {
        if (batch.size() == 1) {
            refused(batch.get(0), reason);
            return;
        }
        int half = batch.size() / 2;
        send(queue, batch.subList(0, half));
        send(queue, batch.subList(half, batch.size()));
    }

    /** Reports what has arrived and what never will, and gives back what is worth another attempt. */
    private List<Message> sortOut(Queue queue, List<Message> batch, SendMessageBatchResponse answer, boolean last) {
        Map<String, SendMessageBatchResultEntry> arrived = answer.successful().stream()
                .collect(Collectors.toMap(SendMessageBatchResultEntry::id, Function.identity()));
        Map<String, BatchResultErrorEntry> refused =
                answer.failed().stream().collect(Collectors.toMap(BatchResultErrorEntry::id, Function.identity()));
        List<Message> again = new ArrayList<>();
        for (int index = 0; index < batch.size(); index++) {
            Message message = batch.get(index);
            String id = Integer.toString(index);
            BatchResultErrorEntry error = refused.get(id);
            if (arrived.containsKey(id)) {
                arrived(message, arrived.get(id).messageId());
            } else if (!last && (error == null || !Boolean.TRUE.equals(error.senderFault()))) {
                again.add(message);
            } else {
                refused(message, error == null ? Explanation.NO_ANSWER : queue.reason(error));
            }
        }
        return again;
    }

    private void refused(Message message, String reason) {
        pending.remove(message.line());
        report.refused(message, reason);
    }

    private void arrived(Message message, String messageId) {
        pending.remove(message.line());
        sent++;
        report.sent(message, messageId);
    }
}
