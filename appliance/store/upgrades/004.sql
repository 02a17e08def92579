UPDATE cases SET state = 'tagged' WHERE state = 'redacting';
